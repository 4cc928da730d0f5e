"""Planted networks in the workflow: built by a rule, studied like others, tested on request."""

import pytest

from tests.project import TEST_SIZE, copy_project, planned, said, snakemake

PLANTED = ("config/models/planted.yaml",)
SMALL = "recovery={noise: [0, 1], superposition: [0, 0.5], patched: 2, attributed: 20, decoys: 2}"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("planted") / "project")


def test_a_planted_model_is_built_and_then_studied_like_any_other(project):
    jobs = planned(project, configs=PLANTED)
    assert jobs["plant_model"] == jobs["describe_model"] == jobs["mean_activations"] == 1
    assert jobs["indirect_effects"] == 8
    assert jobs["fig02_localization"] == 1
    assert {"fetch_model", "measure_recovery", "planted_recovery"}.isdisjoint(jobs)


def test_the_recovery_test_runs_on_request_alone(project):
    assert planned(project, "--cores", "1", "planted", "--config", SMALL) == {
        "measure_recovery": 3, "planted_recovery": 1, "planted": 1,
    }  # fmt: skip
    assert "measure_recovery" not in planned(project)


def test_a_changed_threshold_makes_the_recovery_stale(project):
    network = "data/arithmetic/planted/recovery/noise0.0_superposition0.0.csv"
    made = snakemake(project, network, "--config", SMALL, configs=TEST_SIZE)
    assert made.returncode == 0, said(made)
    assert planned(project, "--cores", "1", network, "--config", SMALL) == {}
    other = ("--config", SMALL, "arithmetic={heuristics: {threshold: 0.7}}")
    assert planned(project, "--cores", "1", network, *other) == {"measure_recovery": 1}
