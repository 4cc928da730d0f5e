"""The finished run at test size, and what was planned for it."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib.config import load_config, merge, read_yaml
from pipeline_lib.plan import Expected, make_plan

ENGINE = "suffix"
"""How `patch_components` runs its patches."""


@pytest.fixture(scope="session")
def study(finished_project) -> Path:
    return finished_project / "data" / "arithmetic" / "tiny-arith"


@pytest.fixture(scope="session")
def plan(finished_project, study):
    """The plan, told how many heuristics have enough neurons and how many pairs match."""
    raw = read_yaml(finished_project / "config" / "config.yaml")
    raw = merge(raw, read_yaml(finished_project / "config" / "test.yaml"))
    config = load_config(raw, presets=finished_project / "config" / "presets")
    knocked = [
        pd.read_csv(file)["heuristic"].nunique()
        for file in study.glob("knockouts/*_by_heuristic.csv")
    ]
    matches = [len(pd.read_csv(file)) for file in study.glob("heuristics/*_matches.csv")]
    neurons = len(pd.read_csv(study / "neurons" / "add.csv"))
    least = config.arithmetic_for("tiny-arith").knockouts.by_heuristic.min_neurons
    share = sum(knocked) / len(knocked) * least / neurons
    over_training = pd.read_csv(study / "checkpoints" / "matches.csv")
    each = len(over_training) / (len(config.checkpoints_of("tiny-arith")) * len(matches))
    expected = Expected(share, sum(matches) / len(matches) / neurons, each / neurons)
    return make_plan(config, finished_project, engine=ENGINE, expected=expected)[0]


@pytest.fixture(scope="session")
def stages(plan):
    return {stage.rule: stage for stage in plan.stages}
