"""Thousands of damaged configurations: each is refused with a readable error, or it is right."""

import os
import random
from pathlib import Path

import pytest
import yaml

from pipeline_lib.config import load_config, merge, read_presets, read_yaml
from pipeline_lib.errors import BagpipeError
from pipeline_lib.preflight import check_workspace
from tests.fuzz.mutations import mutated
from tests.project import ROOT, copy_project, said, snakemake

N_CONFIGS, PER_TEST = 2_000, 250
N_RUNS = 24
SECONDS = 10.0
"""A configuration that takes longer hangs."""


def starts() -> list[dict]:
    """What is changed: the default configuration, the paper's and every value written out."""
    default = read_yaml(ROOT / "config" / "config.yaml")
    paper = merge(default, read_yaml(ROOT / "config" / "paper.yaml"))
    presets = read_presets(ROOT / "config" / "presets")
    full = load_config(default, presets=presets).plain()
    return [default, paper, merge(default, read_yaml(ROOT / "config" / "test.yaml")), full, full]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A project to look at, without code: checking a configuration must not change it."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "data").mkdir()
    (folder / "data" / "models").symlink_to(ROOT / "data" / "models")
    return folder


def tree(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}


@pytest.mark.parametrize("seed", range(N_CONFIGS // PER_TEST))
def test_damaged_configurations_are_refused_in_words(seed, workspace, deadline):
    presets, begun = read_presets(ROOT / "config" / "presets"), starts()
    before = tree(workspace), tree(ROOT / "config")
    accepted = 0
    for number in range(PER_TEST):
        name = f"{seed}-{number}"
        rng = random.Random(name)
        config = mutated(rng.choice(begun), rng)
        try:
            with deadline(SECONDS, name):
                check_workspace(load_config(config, presets=presets), workspace)
            accepted += 1
        except BagpipeError as error:
            assert "Traceback" not in str(error), name
            assert len(str(error)) < 100_000, name
        except Exception as error:
            raise AssertionError(f"configuration {name}: {type(error).__name__}") from error
    assert (tree(workspace), tree(ROOT / "config")) == before
    assert 0 < accepted < PER_TEST, "either nothing is changed or everything is refused"
