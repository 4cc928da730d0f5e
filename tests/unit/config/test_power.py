"""Settings of the study power, and its own table of pairs before any job."""

import pytest

from pipeline_lib.config import InvalidConfigError, load_config, read_yaml
from pipeline_lib.errors import PromptError
from pipeline_lib.preflight import check_workspace
from tests.project import ROOT


def loaded(**power):
    raw = read_yaml(ROOT / "config" / "config.yaml")
    raw["arithmetic"]["enabled"] = False
    return load_config({**raw, "power": power}, presets=ROOT / "config" / "presets")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pairs": "/etc/passwd"}, "outside_project: true"),
        ({"pairs": "../pairs.tsv"}, "outside_project: true"),
        ({"question": "Does {entity} rule?"}, "{sentence} once"),
        ({"false_variants": [" no", " True"]}, "also variants of TRUE"),
        ({"true_variants": []}, "power.true_variants"),
        ({"alignment": "left"}, "power.alignment"),
        ({"shown_pair": 1}, "power.shown_pair"),
        ({"n_pairs": {"head": 3}}, "heads"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(InvalidConfigError) as caught:
        loaded(**settings)
    assert said in str(caught.value)


def test_a_table_may_lie_outside_where_that_is_said():
    assert loaded(pairs="../pairs.tsv", outside_project=True).power.pairs == "../pairs.tsv"


def test_the_users_table_is_checked_before_any_job(tmp_path):
    with pytest.raises(PromptError, match="cannot be read"):
        check_workspace(loaded(pairs="pairs.tsv"), tmp_path)
    (tmp_path / "pairs.tsv").write_text("name\tpower\tno_power\nAnn\tAnn rules.\tAnn runs.\n")
    check_workspace(loaded(pairs="pairs.tsv"), tmp_path)
    check_workspace(loaded(), tmp_path)
