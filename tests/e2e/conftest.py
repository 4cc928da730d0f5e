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
    """The plan, told what only the run can tell: how much matches, and under which rule."""
    raw = read_yaml(finished_project / "config" / "config.yaml")
    raw = merge(raw, read_yaml(finished_project / "config" / "test.yaml"))
    config = load_config(raw, presets=finished_project / "config" / "presets")
    n_checkpoints = len(config.checkpoints_of("tiny-arith"))
    neurons = len(pd.read_csv(study / "neurons" / "add.csv"))
    least = config.arithmetic_for("tiny-arith").knockouts.by_heuristic.min_neurons

    def each(pattern, distinct=None):
        """Mean number of rows of some tables, or of distinct values in one of their columns."""
        tables = [pd.read_csv(file) for file in study.glob(pattern)]
        return sum(t[distinct].nunique() if distinct else len(t) for t in tables) / len(tables)

    over_training = len(config.arithmetic.operators) * n_checkpoints * neurons
    expected = Expected(
        knocked_out_share=each("knockouts/*/*_by_heuristic.csv", "heuristic") * least / neurons,
        matches_per_neuron=each("heuristics/threshold/*_matches.csv") / neurons,
        checkpoint_matches_per_neuron=each("checkpoints/threshold_matches.csv") / over_training,
        links_per_neuron=each("calibration/*_links.csv") / neurons,
        classified_links_per_neuron=each("heuristics/fdr/*_matches.csv") / neurons,
        checkpoint_links_per_neuron=each("checkpoints/*/*_links.csv") / neurons,
        classified_checkpoint_links=each("checkpoints/fdr_matches.csv") / over_training,
    )
    return make_plan(config, finished_project, engine=ENGINE, expected=expected)[0]


@pytest.fixture(scope="session")
def stages(plan):
    return {stage.rule: stage for stage in plan.stages}
