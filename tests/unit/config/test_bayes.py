"""Settings of the study bayes that contradict themselves or are out of range."""

import pytest

from pipeline_lib.config import InvalidConfigError, load_config, read_yaml
from tests.project import ROOT


def loaded(**bayes):
    raw = read_yaml(ROOT / "config" / "config.yaml")
    raw["bayes"] = {**raw["bayes"], **bayes}
    return load_config(raw, presets=ROOT / "config" / "presets")


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        ({"probabilities": [0.5, 1.0]}, "bayes.probabilities", "below 1"),
        ({"probabilities": [0.0, 0.5]}, "bayes.probabilities", "above 0"),
        ({"probabilities": [0.5, 0.5]}, "bayes.probabilities", "more than once"),
        ({"probabilities": [0.5]}, "bayes.probabilities", ""),
        ({"priors": [1.0]}, "bayes.priors", "one for each of the 2"),
        ({"priors": [1.0, 0.0]}, "bayes.priors", "above 0"),
        ({"outcomes": ["X", "X"]}, "bayes.outcomes", "more than once"),
        ({"outcomes": ["X"]}, "bayes.outcomes", ""),
        ({"draws": 6, "heads": {"clean": 9}}, "bayes.heads.clean", "exceed"),
        ({"heads": {"clean": 5, "corrupt": 5}}, "bayes.heads.corrupt", "less than heads.clean"),
        ({"draws": 4, "heads": {"clean": 4, "corrupt": 4}}, "bayes.heads.corrupt", "less than"),
        ({"draws": 5, "heads": {"clean": 4, "corrupt": 2}}, "bayes.probe.train", "32 sequences"),
        ({"steering": {"changes": [0.0, 0.5]}}, "bayes.steering.changes", "0"),
        ({"templates": ["bas"]}, "bayes.templates", "base"),
        ({"heds": {}}, "bayes.heds", "heads"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(values, key, words):
    with pytest.raises(InvalidConfigError) as caught:
        loaded(**values)
    assert key in str(caught.value)
    assert words in str(caught.value)


def test_other_generators_and_sizes_are_allowed():
    study = loaded(
        probabilities=[0.25, 0.5, 0.9],
        priors=[1.0, 2.0, 1.0],
        outcomes=["H", "T"],
        steering={"changes": [0.5, -0.5]},
    ).bayes
    assert study.priors == (1.0, 2.0, 1.0)
    assert study.steering.changes == (-0.5, 0.5)  # in their order: rewriting it makes nothing stale
