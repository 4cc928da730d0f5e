"""config/paper.yaml: the paper's models, planned without a network and as in their own files."""

import os
import subprocess
import sys

import pytest

from pipeline_lib.config import Config, load_config, merge, read_yaml
from pipeline_lib.figures.catalog import RULES
from tests.project import ROOT, copy_project, planned

MODELS = ["llama3-8b", "llama3-70b", "pythia-6.9b", "gptj"]


def configured(file: str) -> Config:
    raw = merge(read_yaml(ROOT / "config" / "config.yaml"), read_yaml(ROOT / "config" / file))
    return load_config(raw, presets=ROOT / "config" / "presets")


@pytest.fixture(scope="module")
def paper() -> Config:
    return configured("paper.yaml")


def test_every_model_of_the_paper_has_a_file_of_its_own(paper):
    assert list(paper.arithmetic.models) == MODELS
    files = {file.stem for file in ROOT.glob("config/models/*.yaml")}
    assert set(MODELS) <= files


@pytest.mark.parametrize("name", MODELS)
def test_the_models_own_file_gives_the_same_settings(paper, name):
    alone = configured(f"models/{name}.yaml")
    assert list(alone.arithmetic.models) == [name]
    settings = [
        config.arithmetic_for(name).model_dump(mode="json", exclude={"models"})
        for config in (paper, alone)
    ]
    assert settings[0] == settings[1]
    sources = [
        config.model(name).model_dump(mode="json", exclude={"arithmetic"})
        for config in (paper, alone)
    ]
    assert sources[0] == sources[1]


@pytest.mark.parametrize(
    ("name", "layer", "per_layer"),
    [("llama3-8b", 16, 200), ("llama3-70b", 39, 400), ("pythia-6.9b", 14, 200), ("gptj", 17, 200)],
)
def test_settings_are_the_papers_and_not_those_of_the_small_model(paper, name, layer, per_layer):
    study = paper.arithmetic_for(name)
    assert study.neurons.first_heuristics_layer == layer
    assert study.neurons.per_layer == per_layer
    assert study.circuit.n_heads == {"add": 6, "sub": 6, "mul": 20, "div": 6}
    assert study.faithfulness.late_share == 0.01
    assert study.knockouts.by_heuristic.min_neurons == 10
    assert study.knockouts.by_prompt.max_per_layer == 100
    assert study.prompts.discovery == 100
    assert study.heuristics.threshold == 0.6


def offline() -> dict[str, str]:
    """An environment in which nothing reaches a network."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    return {**os.environ, **nowhere, "HF_HUB_OFFLINE": "1"}


def test_all_four_are_planned_without_a_network(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "pipeline_lib", "plan", "--configfile", "config/paper.yaml"],
        cwd=ROOT, env=offline(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for name in MODELS:
        assert f"\n{name}: " in f"\n{result.stdout}"
    assert result.stdout.splitlines()[-1].startswith("models=4 ")


def test_the_dry_run_downloads_and_studies_all_four(tmp_path, monkeypatch):
    for name, value in offline().items():
        monkeypatch.setenv(name, value)
    jobs = planned(copy_project(tmp_path / "project"), configs=("config/paper.yaml",))
    assert jobs["fetch_model"] == 4
    assert jobs["indirect_effects"] == 4 * 4 * 5
    assert jobs["table_scorecard"] == 4 * len(RULES)
    assert jobs["fig16_model"] == 3 * len(RULES)
    assert jobs["fig08_prompt_knockout_models"] == len(RULES)
