"""Thousands of damaged configurations: each is refused with a readable error, or it is right."""

import random

import pytest
import yaml

from tests.fuzz.configs import starts, tree
from tests.fuzz.mutations import mutated
from tests.fuzz.processes import in_its_own_process
from tests.project import copy_project, said, snakemake

N_CONFIGS, PER_TEST = 2_000, 500
N_RUNS = 24


@pytest.mark.parametrize("seed", range(N_CONFIGS // PER_TEST))
def test_damaged_configurations_are_refused_in_words(seed):
    cases = in_its_own_process("tests.fuzz.configs", seed, PER_TEST)
    assert len(set(cases)) == PER_TEST


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("fuzz") / "project")


@pytest.mark.parametrize("seed", range(N_RUNS))
def test_snakemake_refuses_damaged_configurations_in_words(seed, project):
    """As users meet them: in a file beside the default configuration, before any job."""
    rng = random.Random(f"run-{seed}")
    name = f"damaged{seed}.yaml"
    (project / name).write_text(yaml.safe_dump(mutated(rng.choice(starts()), rng)))
    before = tree(project / "data")
    result = snakemake(project, "-n", "data/models/tiny-arith/manifest.json", configs=(name,))
    assert "Traceback" not in said(result), said(result)
    assert "Error in rule" not in said(result)
    assert result.returncode in (0, 1)
    assert tree(project / "data") == before
