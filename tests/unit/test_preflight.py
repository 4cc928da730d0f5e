"""What is found wrong before any job starts."""

import shutil
from pathlib import Path

import pytest

from pipeline_lib.config import load_config
from pipeline_lib.errors import BagpipeError, DiskError, ModelError, PromptError
from pipeline_lib.preflight import check_workspace

ROOT = Path(__file__).resolve().parents[2]


def config(*paths, **studies):
    models = {f"m{n}": {"source": "local", "path": path} for n, path in enumerate(paths)}
    raw = {"models": models, "arithmetic": {"models": list(models)}, **studies}
    return load_config(raw, presets=ROOT / "config" / "presets")


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "data/models/tiny-arith", tmp_path / "whole")
    return tmp_path


def test_a_whole_model_passes(folder):
    check_workspace(config("whole"), folder)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.safetensors", "no weights"),
        ("config.json", "config.json cannot be read"),
        ("tokenizer.json", "no tokenizer.json"),
    ],
)
def test_each_missing_file_is_named(folder, missing, message):
    (folder / "whole" / missing).unlink()
    with pytest.raises(ModelError, match=message):
        check_workspace(config("whole"), folder)


def test_checkpoints_are_looked_at_where_they_are_studied(folder):
    model = {"source": "local", "path": "whole", "checkpoints": ["step0"]}
    raw = {"models": {"m0": model}, "arithmetic": {"models": ["m0"]}}
    presets = ROOT / "config" / "presets"
    with pytest.raises(ModelError, match=r"does not exist[\s\S]*m0@step0"):
        check_workspace(load_config(raw, presets=presets), folder)
    raw["arithmetic"]["checkpoints"] = {"enabled": False}
    check_workspace(load_config(raw, presets=presets), folder)


def test_all_problems_are_listed_together(folder):
    with pytest.raises(BagpipeError, match=r"2 problems[\s\S]*models.m0[\s\S]*models.m1"):
        check_workspace(config("here", "there"), folder)


def test_a_table_of_people_and_examples_are_looked_at(folder):
    (folder / "people.csv").write_text("name,job\nAda Lovelace,mathematician\n")
    with pytest.raises(PromptError, match=r"lacks the columns[\s\S]*it has name, job"):
        check_workspace(config("whole", odd_one_out={"people": "people.csv"}), folder)
    triples = {"clean": ["Ann", "Ben", "Cleo"], "corrupt": ["Ann", "Dan", "Cleo"]}
    example = triples | {"target": "Ann", "corrupt_target": "Ben"}
    with pytest.raises(PromptError, match=r"does not occur[\s\S]*Ann, Dan, Cleo[\s\S]*Ben"):
        check_workspace(config("whole", odd_one_out={"examples": [example]}), folder)


def test_an_unwritable_folder_is_found(folder, monkeypatch):
    """The tests may run as root, who can write everywhere: the system's answer is replaced."""
    monkeypatch.setattr("pipeline_lib.preflight.os.access", lambda path, mode: False)
    with pytest.raises(BagpipeError, match="cannot be written"):
        check_workspace(config("whole"), folder)
    assert issubclass(DiskError, BagpipeError)


def planted(name):
    raw = {"models": {name: {"source": "planted"}}, "arithmetic": {"models": [name]}}
    return load_config(raw, presets=ROOT / "config" / "presets")


def test_a_planted_model_never_takes_the_folder_of_another(folder):
    models = folder / "data" / "models"
    shutil.copytree(folder / "whole", models / "trained")
    check_workspace(planted("new"), folder)
    with pytest.raises(ModelError, match=r"holds another model[\s\S]*models.trained"):
        check_workspace(planted("trained"), folder)
    (models / "trained" / "planted.json").write_text("{}")
    check_workspace(planted("trained"), folder)
