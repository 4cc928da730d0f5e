"""The profiles for SLURM fit the rules and Snakemake; tests/cluster runs them."""

import re
from collections import defaultdict

import pytest
import yaml

from tests.project import ROOT, copy_project, planned

PROFILES = ROOT / "profiles"
SLURM = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text())
EXAMPLES = sorted(folder.name for folder in PROFILES.glob("slurm-*"))
# on the login node, or on request and by themselves
ALONE = {"fetch_model", "train_tiny_arith", "train_tiny_induction"}


def rules_with_scripts() -> dict[str, str]:
    """Text of every rule that computes something."""
    files = (ROOT / "workflow" / "rules").glob("*.smk")
    texts = [text for file in files for text in re.split(r"^rule ", file.read_text(), flags=re.M)]
    return {text.split(":")[0]: text for text in texts if "    script:" in text}


def test_every_rule_has_a_group_and_every_group_rules():
    assert set(SLURM["groups"]) == set(rules_with_scripts()) - ALONE


@pytest.mark.parametrize("name", ["slurm", *EXAMPLES])
def test_sizes_are_those_of_groups(name):
    sizes = yaml.safe_load((PROFILES / name / "config.yaml").read_text()).get(
        "group-components", {}
    )
    assert set(sizes) <= set(SLURM["groups"].values())


def test_no_group_mixes_stages_with_and_without_a_gpu():
    on_gpu = defaultdict(set)
    for rule, text in rules_with_scripts().items():
        if rule not in ALONE:
            on_gpu[SLURM["groups"][rule]].add("gpu=get_gpus" in text)
    assert [group for group, kinds in on_gpu.items() if len(kinds) > 1] == []


def test_every_rule_asks_for_memory_and_time_and_for_more_the_next_time():
    by_attempt = {
        "mem_mb": r"get_mem_mb|get_growing\(\d+\)",
        "runtime": r"get_runtime|get_growing\(\d+\)",
    }
    lacking = [
        (rule, name)
        for rule, text in rules_with_scripts().items()
        for name, amount in by_attempt.items()
        if not re.search(rf"^        {name}=({amount}),$", text, flags=re.M)
    ]
    assert lacking == []


def test_settings_of_the_default_profile_hold_on_a_cluster_too():
    default = yaml.safe_load((PROFILES / "default" / "config.yaml").read_text())
    assert {key: SLURM[key] for key in default} == default


def test_no_partition_without_gpus_offers_any():
    for name in ("slurm", *EXAMPLES):
        text = (PROFILES / name / "partitions.yaml").read_text()
        limits = yaml.safe_load(text)["partitions"].values()
        # a limit on memory or processors would draw jobs without a GPU to a partition with some
        assert all(set(limit) <= {"max_gpu", "max_runtime"} for limit in limits)
        assert 0 in [limit["max_gpu"] for limit in limits]


@pytest.mark.parametrize("over", [None, *EXAMPLES])
def test_snakemake_plans_the_whole_study_with(over, tmp_path):
    project = copy_project(tmp_path / "project")
    options = ["--profile", "profiles/slurm"]
    options += ["--profile", f"profiles/{over}"] if over else []
    assert sum(planned(project, *options).values()) > 200
