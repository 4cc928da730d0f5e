"""Settings of the study odd one out that contradict themselves."""

import pytest

from pipeline_lib.config import InvalidConfigError, load_config, read_yaml
from tests.project import ROOT


def loaded(section):
    raw = read_yaml(ROOT / "config" / "config.yaml")
    return load_config({**raw, "odd_one_out": section}, presets=ROOT / "config" / "presets")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"formats": {"odd_one_out": "Who?"}}, "must contain {names}"),
        ({"formats": {"common_attribute": "{a} is like"}}, "must contain {b}"),
        ({"formats": {"one_name": "someone"}}, "must contain {name}"),
        ({"tasks": []}, "odd_one_out.tasks"),
        ({"sweep": {"replacements": ["noise"]}}, "odd_one_out.sweep.replacements"),
        ({"subspace": {"rank": [1]}}, "odd_one_out.subspace.rank"),
    ],
)
def test_bad_settings_are_refused(section, said):
    with pytest.raises(InvalidConfigError) as caught:
        loaded(section)
    assert said in str(caught.value)


def test_the_formats_of_the_default_config_are_the_specs():
    formats = loaded({}).odd_one_out.formats
    assert formats.odd_one_out.startswith("Q: Pick the odd person out: {names}")
    assert len(loaded({}).odd_one_out.examples) == 3
