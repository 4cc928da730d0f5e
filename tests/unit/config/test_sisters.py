"""Models of packages and old toy models, and the studies beside arithmetic."""

import pytest

from pipeline_lib.config import InvalidConfigError, load_config, read_yaml
from tests.project import ROOT

PRESETS = ROOT / "config" / "presets"
PACKAGE = {
    "source": "package",
    "name": "some-package",
    "version": "0.1.2",
    "file": "some_package/model.Q4_1.gguf",
    "sha256": "0" * 64,
}


def loaded(model=None, **sections):
    raw = read_yaml(ROOT / "config" / "config.yaml")
    raw["models"] = {**raw["models"], **({"other": model} if model else {})}
    return load_config({**raw, **sections}, presets=PRESETS)


def problems(*args, **kwargs):
    with pytest.raises(InvalidConfigError) as caught:
        loaded(*args, **kwargs)
    return str(caught.value)


def test_a_package_is_known_by_all_that_decides_its_weights():
    config = loaded(PACKAGE)
    assert config.model("other").origin == PACKAGE
    assert config.all_model_names().count("other") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "abc"),
        ("file", "../outside.gguf"),
        ("file", "some_package/model.bin"),
        ("version", "--extra-index-url=x"),
        ("name", "--index-url"),
        ("name", "https://somewhere"),
    ],
)
def test_a_package_that_is_none_is_refused(key, value):
    assert f"models.other.{key}" in problems({**PACKAGE, key: value})


def test_a_packages_model_has_no_checkpoints():
    assert "no training checkpoints" in problems({**PACKAGE, "checkpoints": ["step1"]})


def test_a_moving_revision_has_to_be_allowed():
    hub = {"source": "hub", "repo": "a/b", "revision": "main", "layout": "transformer_lens"}
    assert "moving_revision: true" in problems(hub)
    config = loaded({**hub, "moving_revision": True})
    assert config.model("other").origin == hub


def test_the_shipped_files_enable_every_study_with_a_model():
    default = loaded()
    assert default.enabled_sisters() == []
    studies = read_yaml(ROOT / "config" / "studies.yaml")
    raw = read_yaml(ROOT / "config" / "config.yaml")
    for name in studies:
        assert raw[name]["models"]
        assert default.study(name).models == tuple(raw[name]["models"])


def test_a_study_without_a_model_cannot_be_drawn():
    assert "bayes.models" in problems(bayes={"enabled": True, "models": []})


def test_a_study_names_a_configured_model():
    said = problems(power={"models": ["tiny-arit"]})
    assert "power.models" in said
    assert "tiny-arith" in said
