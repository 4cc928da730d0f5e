"""Planted models and the networks of the recovery test in the configuration."""

import pytest

from pipeline_lib.config import load_config, merge
from tests.unit.config.conftest import PRESETS, problems, raw


def planted(**values):
    models = {"planted": {"source": "planted", **values}}
    return {"models": models, "arithmetic": {"models": ["planted"]}}


def test_a_planted_model_is_identified_by_what_it_is_built_with():
    config = load_config(planted(noise=0.5, seed=7), presets=PRESETS)
    assert config.model("planted").origin == {
        "source": "planted", "noise": 0.5, "superposition": 0.0, "decoys": 12, "seed": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "key", "told"),
    [
        ({"nosie": 1}, "models.planted.nosie", 'did you mean "noise"'),
        ({"noise": -1}, "models.planted.noise", "from 0 to 100"),
        ({"superposition": 1.0}, "models.planted.superposition", "from 0 to 0.95"),
        ({"decoys": 1.5}, "models.planted.decoys", "an integer"),
        ({"checkpoints": ["step1"]}, "models.planted.checkpoints", "no training checkpoints"),
        ({"path": "x"}, "models.planted.path", "unknown key"),
    ],
)
def test_a_wrong_planted_model_is_refused(values, key, told):
    found = problems(planted(**values))
    assert told in found[key]


def test_a_misspelt_source_gets_the_nearest(tmp_path):
    found = problems(merge(planted(), {"models": {"planted": {"source": "plantd"}}}))
    assert 'did you mean "planted"' in found["models.planted.source"]


@pytest.mark.parametrize(
    ("section", "key"),
    [({"noise": []}, "recovery.noise"), ({"superposition": [0.99]}, "recovery.superposition[0]")],
)
def test_wrong_networks_of_the_recovery_test_are_refused(section, key):
    assert key in problems(raw(recovery=section))
