"""What a change of the study bayes makes due: exactly the stages that depend on it."""

import shutil
from pathlib import Path

import pytest

from pipeline_lib.figures.sisters import SISTERS
from tests.conftest import BAYES_CONFIGS
from tests.project import planned

ANSWERS = {"bayes_answers"} | {
    f"bayes_{name}_figure" for name in ("scores", "answers", "lens_layers", "lens_errors")
}
STEERING = {"bayes_steering", "bayes_steering_figure"}
PROBE = {"bayes_probe", "bayes_probe_layers_figure", "bayes_probe_predictions_figure"} | STEERING
RANKED = {"bayes_top_heads_figure", "bayes_head_positions_figure"}
HEADS = {"bayes_heads", "bayes_heads_figure"} | RANKED
PAGE = {"write_bayes_findings"}
FIGURES = {f"bayes_{name}_figure" for name in SISTERS["bayes"].figures}


@pytest.fixture
def project(bayes_project, tmp_path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(bayes_project, tmp_path / "project", symlinks=True))


def due(project, change=""):
    configs = BAYES_CONFIGS
    if change:
        (project / "change.yaml").write_text(f"bayes: {change}")
        configs = (*BAYES_CONFIGS, "change.yaml")
    # an option between the values of --quiet and the target
    return set(planned(project, "--nolock", "bayes", configs=configs)) - {"bayes"}


def test_a_finished_study_is_up_to_date(project):
    assert due(project) == set()


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("{permutations: 3}", ANSWERS | PAGE),
        ("{probe: {alpha: 2.0}}", PROBE | PAGE),
        ("{heads: {min_gap: 0.2}}", HEADS | PAGE),
        ("{heads: {top: 3}}", RANKED),
        ("{steering: {random_directions: 5}}", STEERING | PAGE),
        ("{dpi: 70}", FIGURES),
        ("{seed: 1}", ANSWERS | PROBE | HEADS | PAGE),
        ("{priors: [1.0, 2.0]}", ANSWERS | PROBE | HEADS | PAGE),
    ],
)
def test_a_key_makes_its_stages_stale(project, change, stale):
    assert due(project, change) == stale


def test_a_comment_makes_nothing_stale_and_code_its_stage(project):
    module = project / "pipeline_lib" / "bayes" / "steering.py"
    module.write_text(module.read_text() + "\n# a comment\n")
    assert due(project) == set()
    module.write_text(module.read_text().replace("RESAMPLES = 2000", "RESAMPLES = 1000"))
    assert "bayes_steering" in due(project)
    assert "bayes_heads" not in due(project)
