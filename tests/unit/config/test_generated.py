"""Schema, key table and the settings of other rooms agree with the configuration's types."""

import dataclasses
import json
import random
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline_lib.__main__ import README, SCHEMA, generated_files, main
from pipeline_lib.config import json_schema, load_config, merge, read_presets, read_yaml
from pipeline_lib.config.training import TinyArithTraining
from pipeline_lib.errors import BagpipeError
from pipeline_lib.heuristics.settings import AUTHORS, PAPER, HeuristicSettings
from pipeline_lib.models.planted.settings import PlantedSettings
from pipeline_lib.models.training.settings import TrainingSettings

ROOT = Path(__file__).parents[3]
PRESETS = read_presets(ROOT / "config" / "presets")
DEFAULT = read_yaml(ROOT / "config" / "config.yaml")


def test_generated_files_are_up_to_date():
    stale = [str(path) for path, text in generated_files().items() if path.read_text() != text]
    assert not stale, "run: python -m pipeline_lib schema --write"


def test_schema_is_a_schema_and_accepts_the_shipped_files():
    Draft202012Validator.check_schema(json_schema())
    validator = Draft202012Validator(json_schema())
    for file in [*ROOT.glob("config/*.yaml"), *ROOT.glob("config/models/*.yaml")]:
        validator.validate(read_yaml(file))


def test_schema_refuses_an_unknown_key():
    errors = list(Draft202012Validator(json_schema()).iter_errors({"arithmetic": {"sedes": [1]}}))
    assert "sedes" in errors[0].message


def test_every_key_has_a_description():
    rows = README.read_text().split("<!-- keys:begin -->")[1].splitlines()
    cells = [row.split(" | ") for row in rows if row.startswith("| ") and "meaning" not in row]
    undescribed = [row[0] for row in cells if not row[-1].strip(" |")]
    assert len(cells) > 60
    assert undescribed == []


def test_key_table_shows_both_presets():
    assert "paper: `100`<br>authors: `50`" in README.read_text()


@pytest.mark.parametrize(("preset", "values"), [("paper", PAPER), ("authors", AUTHORS)])
def test_heuristic_settings_are_those_of_the_heuristics_room(preset, values):
    config = load_config({**DEFAULT, "preset": preset}, presets=PRESETS)
    plain = config.arithmetic.heuristics.types.params()
    assert HeuristicSettings.from_values(plain) == HeuristicSettings.from_values(values)
    assert set(plain) == {field.name for field in dataclasses.fields(HeuristicSettings)}


def test_training_settings_are_those_of_the_training_room():
    plain = TinyArithTraining().params()
    assert TrainingSettings(**{**plain, "checkpoints": tuple(plain["checkpoints"])}) == (
        TrainingSettings()
    )


def test_a_planted_model_has_the_settings_of_its_room():
    config = load_config(
        {"models": {"p": {"source": "planted"}}, "arithmetic": {"models": ["p"]}}, presets=PRESETS
    )
    values = {key: value for key, value in config.model("p").origin.items() if key != "source"}
    assert PlantedSettings(**values) == PlantedSettings()
    assert {field.name for field in dataclasses.fields(PlantedSettings)} == set(values)


class TestCommandLine:
    def test_schema_is_checked(self, capsys, monkeypatch, tmp_path):
        assert main(["schema"]) == 0
        assert capsys.readouterr().out == "up to date\n"
        stale = ROOT / "workflow" / "schemas" / "not-there.json"
        monkeypatch.setattr("pipeline_lib.__main__.SCHEMA", stale)
        assert main(["schema"]) == 1
        assert "out of date" in capsys.readouterr().err

    def test_config_shows_all_values(self, capsys):
        assert main(["config"]) == 0
        shown = yaml.safe_load(capsys.readouterr().out)
        assert load_config(shown, presets=PRESETS) == load_config(DEFAULT, presets=PRESETS)

    def test_config_shows_an_error_without_traceback(self, capsys, tmp_path):
        (tmp_path / "a.yaml").write_text("arithmetic: {sedes: [1]}")
        assert main(["config", "--configfile", str(tmp_path / "a.yaml")]) == 1
        message = capsys.readouterr().err
        assert 'did you mean "seeds"' in message
        assert "Traceback" not in message

    def test_fingerprint_lists_modules(self, capsys):
        assert main(["fingerprint", str(ROOT / "pipeline_lib" / "rng.py")]) == 0
        assert capsys.readouterr().out.endswith("script\n")


def test_mutated_configs_never_end_in_a_traceback():
    """150 random mutations: a config or a BagpipeError, nothing else."""
    rng = random.Random(0)
    full = load_config(DEFAULT, presets=PRESETS).plain()
    strange = [
        None,
        -1,
        0,
        1e400,
        "x",
        "",
        [],
        {},
        [[]],
        True,
        {"a": None},
        "\x00",
        10**30,
        [1, "a"],
    ]
    outcomes = set()
    for _ in range(150):
        values = json.loads(json.dumps(full))
        for _ in range(rng.randint(1, 3)):
            block = values
            while True:
                key = rng.choice(list(block))
                if not isinstance(block[key], dict) or not block[key] or rng.random() < 0.2:
                    break
                block = block[key]
            action = rng.choice(["replace", "delete", "rename"])
            old = block.pop(key)
            if action == "replace":
                block[key] = rng.choice(strange)
            elif action == "rename":
                block[f"{key}x"] = old
            if not values:
                break
        try:
            load_config(values, presets=PRESETS)
            outcomes.add("valid")
        except BagpipeError:
            outcomes.add("refused")
    assert outcomes == {"valid", "refused"}


def test_schema_file_has_a_dialect():
    assert json.loads(SCHEMA.read_text())["$schema"].startswith("https://json-schema.org/")
    assert merge({"a": {"b": 1}}, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}
