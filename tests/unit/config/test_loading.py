"""The configuration: merging, models, overrides; every problem reported, with the nearest key."""

import pytest

from pipeline_lib.config import (
    OPERATOR_NAMES,
    POSITION_NAMES,
    Config,
    load_config,
    merge,
    read_yaml,
)
from pipeline_lib.errors import ConfigError
from pipeline_lib.stimuli.arithmetic import OPERATORS, POSITIONS
from tests.unit.config.conftest import PRESETS, ROOT, TINY, problems, raw


def test_minimal_config_takes_the_rest_from_preset_and_defaults():
    config = load_config(raw(), presets=PRESETS)
    assert config.preset == "paper"
    assert config.arithmetic.prompts.discovery == 100
    assert config.arithmetic.prompts.max_operand == 300
    assert config.arithmetic.operators == ("add", "sub", "mul", "div")
    assert set(config.arithmetic.seeds) == {42, 412, 32879, 123, 436}


def test_user_values_win_over_the_preset():
    config = load_config(
        raw({"prompts": {"discovery": 7}}, preset="authors"), presets=ROOT / "config" / "presets"
    )
    assert config.arithmetic.prompts.discovery == 7
    assert config.arithmetic.prompts.counterfactual == "any"
    assert config.arithmetic.neurons.importance == "mean_plus_std"


def test_presets_set_the_same_keys():
    """A value that the presets disagree on has no default in the code, so both must give it."""

    def keys(values, *, below=()):
        return {
            key
            for name, value in values.items()
            for key in (
                keys(value, below=(*below, name))
                if isinstance(value, dict) and not name.endswith("_ranges")
                else {(*below, name)}
            )
        }

    assert keys(PRESETS["paper"]) == keys(PRESETS["authors"])


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize(
    "files",
    [
        [],
        ["test.yaml"],
        ["paper.yaml"],
        *[[f"models/{f.name}"] for f in ROOT.glob("config/models/*")],
    ],
)
def test_shipped_files_are_valid(preset, files):
    values = {}
    for file in ["config.yaml", *files]:
        values = merge(values, read_yaml(ROOT / "config" / file))
    config = load_config({**values, "preset": preset}, presets=PRESETS)
    for name in config.arithmetic.models:
        assert config.arithmetic_for(name).models == config.arithmetic.models


def test_operator_and_position_names_are_the_library_s():
    assert tuple(OPERATORS) == OPERATOR_NAMES
    assert tuple(POSITIONS) == POSITION_NAMES


def test_input_is_not_changed_and_config_is_immutable():
    values = raw({"prompts": {"discovery": 7}})
    before = repr(values)
    config = load_config(values, presets=PRESETS)
    assert repr(values) == before
    with pytest.raises(ValueError, match="frozen"):
        config.arithmetic.prompts.discovery = 3


def test_order_of_seeds_operators_and_positions_does_not_matter():
    one = raw({"seeds": [42, 7], "operators": ["div", "add"], "attribution": {"seeds": [42, 7]}})
    two = raw({"attribution": {"seeds": [7, 42]}, "seeds": [7, 42], "operators": ["add", "div"]})
    one, two = load_config(one, presets=PRESETS), load_config(two, presets=PRESETS)
    assert repr(one.plain()) == repr(two.plain())
    assert one.arithmetic.operators == ("add", "div")
    assert one.digest() == two.digest()


def test_digest_changes_with_a_value():
    one, two = (
        load_config(raw({"prompts": {"max_operand": n}}), presets=PRESETS) for n in (300, 299)
    )
    assert one.digest() != two.digest()


def test_empty_blocks_count_as_not_given():
    values = {**raw(), "training": None}
    values["arithmetic"]["prompts"] = None
    assert load_config(values, presets=PRESETS).arithmetic.prompts.max_operand == 300


def test_texts_of_the_command_line_are_numbers():
    """Snakemake reads values inside a block given with --config as texts."""
    texts = {
        "enabled": "False",
        "seeds": ["7", "8"],
        "attribution": {"seeds": ["7"]},
        "neurons": {"first_heuristics_layer": "3"},
        "heuristics": {"threshold": "6e-1", "types": {"zero_result_limit": "null"}},
    }
    study = load_config(raw(texts), presets=PRESETS).arithmetic
    assert study.enabled is False
    assert study.seeds == (7, 8)
    assert study.neurons.first_heuristics_layer == 3
    assert study.heuristics.threshold == 0.6
    assert study.heuristics.types.zero_result_limit is None


@pytest.mark.parametrize("text", ["1e3", "7.0", "0x7", " 7", "seven", "1_000", ""])
def test_other_texts_are_no_integers(text):
    assert problems(raw({"seeds": [text]})).keys() == {"arithmetic.seeds[0]"}


def test_params_are_plain_and_ordered():
    study = load_config(raw(), presets=PRESETS).arithmetic
    assert study.params("seeds", "prompts.max_operand") == {
        "seeds": [42, 123, 412, 436, 32879],
        "prompts.max_operand": 300,
    }
    assert list(study.prompts.params()) == list(type(study.prompts).model_fields)


class TestModels:
    def test_checkpoint_of_a_local_model_is_the_folder_beside_it(self):
        config = load_config(raw({"models": ["tiny@step65"]}), presets=PRESETS)
        assert config.model("tiny").path == "data/models/tiny"
        assert config.model("tiny@step65").path == "data/models/tiny@step65"
        assert config.all_model_names() == ["tiny", "tiny@step0", "tiny@step65"]

    def test_checkpoint_of_a_hub_model_is_a_revision(self):
        hub = {"source": "hub", "repo": "a/b", "revision": "step9", "checkpoints": ["step1"]}
        values = {**raw(), "models": {"tiny": TINY, "big": hub}}
        config = load_config(values, presets=PRESETS)
        assert config.model("big").origin == {"source": "hub", "repo": "a/b", "revision": "step9"}
        assert config.model("big@step1").revision == "step1"

    def test_checkpoints_are_studied_beside_their_model_in_training_order(self):
        tiny = {**TINY, "checkpoints": ["step130", "step9", "step65"]}
        config = load_config({**raw(), "models": {"tiny": tiny}}, presets=PRESETS)
        assert config.checkpoints_of("tiny") == ("step9", "step65", "step130")
        assert config.checkpoints_of("tiny@step9") == ()
        off = load_config(
            {**raw({"checkpoints": {"enabled": False}}), "models": {"tiny": tiny}}, presets=PRESETS
        )
        assert off.checkpoints_of("tiny") == ()
        only = {**tiny, "arithmetic": {"checkpoints": {"enabled": False}}}
        both = load_config({**raw(), "models": {"tiny": only, "two": tiny}}, presets=PRESETS)
        assert both.checkpoints_of("tiny") == ()
        assert len(both.checkpoints_of("two")) == 3

    def test_no_checkpoint_can_be_called_as_the_model_itself_is(self):
        tiny = {**TINY, "checkpoints": ["step9", "final"]}
        found = problems({**raw(), "models": {"tiny": tiny}})
        assert "the model itself" in found["models.tiny.checkpoints[1]"]

    @pytest.mark.parametrize("name", ["tniy", "tiny@step66"])
    def test_unknown_model_names_the_nearest(self, name):
        config = load_config(raw(), presets=PRESETS)
        with pytest.raises(ConfigError, match='did you mean "tiny'):
            config.model(name)
        assert problems(raw({"models": [name]})).keys() == {"arithmetic.models"}

    def test_revision_that_moves_is_refused(self):
        hub = {"source": "hub", "repo": "a/b", "revision": "main"}
        found = problems({**raw(), "models": {"tiny": TINY, "big": hub}})
        assert "moves" in found["models.big.revision"]

    @pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "~/x"])
    def test_path_out_of_the_project_must_be_allowed(self, path):
        values = {**raw(), "models": {"tiny": {**TINY, "path": path}}}
        assert "leads out" in problems(values)["models.tiny.path"]
        values["models"]["tiny"]["outside_project"] = True
        assert load_config(values, presets=PRESETS).model("tiny").path == path

    def test_override_applies_to_the_model_and_its_checkpoints_only(self):
        tiny = {**TINY, "arithmetic": {"neurons": {"per_layer": 9}}}
        config = load_config({**raw(), "models": {"tiny": tiny, "two": TINY}}, presets=PRESETS)
        assert config.arithmetic_for("tiny").neurons.per_layer == 9
        assert config.arithmetic_for("tiny@step0").neurons.per_layer == 9
        assert config.arithmetic_for("two").neurons.per_layer == 200
        assert config.arithmetic.neurons.per_layer == 200

    def test_override_is_checked(self):
        override = {"neurons": {"per_layr": 9}, "seeds": [1], "prompts": {"min_operand": 300}}
        found = problems({**raw(), "models": {"tiny": {**TINY, "arithmetic": override}}})
        prefix = "models.tiny.arithmetic"
        assert 'did you mean "per_layer"' in found[f"{prefix}.neurons.per_layr"]
        assert found[f"{prefix}.seeds"] == "cannot differ between models"
        assert "smaller than max_operand" in found[f"{prefix}.prompts.min_operand"]


class TestProblems:
    def test_all_at_once_with_value_and_what_is_allowed(self):
        values = raw(
            {
                "sedes": [1],
                "max_operand": 5,
                "operators": ["+", "mull"],
                "seeds": [],
                "prompts": {"few_shot": True, "max_operand": "many"},
                "heuristics": {"threshold": 1.5},
                "knockouts": {"by_prompt": {"step": 200}},
            },
            preset="papre",
        )
        values["modles"] = {}
        found = problems(values)
        assert found == {
            "preset": 'must be one of paper, authors; did you mean "paper"?',
            "arithmetic.operators[0]": 'must be one of add, sub, mul, div; did you mean "add"?',
            "arithmetic.operators[1]": 'must be one of add, sub, mul, div; did you mean "mul"?',
            "arithmetic.seeds": "must be a list (at least one), "
            "each an integer from 0 to 4294967295",
            "arithmetic.prompts.max_operand": "must be an integer from 1 to 10000",
            "arithmetic.prompts.few_shot": "must be an integer from 0 to 16",
            "arithmetic.heuristics.threshold": "must be a number from 0 to 1",
            "arithmetic.knockouts.by_prompt.step": "must not be larger than max_per_layer, "
            "which is 100",
            "arithmetic.sedes": 'unknown key; did you mean "seeds"?',
            "arithmetic.max_operand": 'unknown key; did you mean "arithmetic.prompts.max_operand"?',
            "modles": 'unknown key; did you mean "models"?',
        }

    def test_message_lists_key_value_and_fix(self):
        with pytest.raises(ConfigError) as caught:
            load_config(raw({"heuristics": {"treshold": 0.5}}), presets=PRESETS)
        assert str(caught.value).splitlines()[:2] == [
            "The configuration has a problem:",
            '  - arithmetic.heuristics.treshold = 0.5: unknown key; did you mean "threshold"?',
        ]

    def test_contradictions_are_found_beside_other_problems(self):
        """Cross-field checks run although another value of the same block is wrong."""
        found = problems(
            raw({"prompts": {"min_operand": 300, "few_shot": -1}, "attribution": {"seeds": [7]}})
        )
        assert found.keys() == {
            "arithmetic.prompts.few_shot",
            "arithmetic.prompts.min_operand",
            "arithmetic.attribution.seeds",
        }

    def test_contradictions_with_a_faulty_value_are_not_invented(self):
        """Seeds [7, "x"] are wrong themselves; that 7 is then missing must not be reported."""
        found = problems(raw({"seeds": [7, "x"], "attribution": {"seeds": [7]}}))
        assert found.keys() == {"arithmetic.seeds[1]"}

    @pytest.mark.parametrize(
        ("key", "value", "text"),
        [
            ("seeds", [1, 2, 1], "lists 1 more than once"),
            ("seeds", [-1], "an integer from 0"),
            ("seeds", 42, "a list"),
            ("seeds", [1.0], "an integer"),
            ("operators", [], "at least one"),
            ("operators", ["add", "add"], "more than once"),
            ("models", [], "at least one"),
            ("prompts", 3, "a block of"),
            ("enabled", "yes", "true or false"),
            ("heuristics", {"threshold": float("nan")}, "from 0 to 1"),
            ("effects", {"positions": ["equal"]}, 'did you mean "equals"'),
            ("circuit", {"heads": {"add": ["15.3"]}}, "text like L15H13"),
            ("circuit", {"heads": {"plus": []}}, "possible: add, sub, mul, div"),
            ("neurons", {"first_heuristics_layer": "hal"}, 'did you mean "half"?'),
            ("figures", {"example_prompt": {"operator": "add", "a": 1, "b": 999}}, "0 to 299"),
            ("heuristics", {"types": {"patterns": ["xx."]}}, "text like .d."),
        ],
    )
    def test_one_value(self, key, value, text):
        found = problems(raw({key: value}))
        assert len(found) == 1
        (place, message), *_ = found.items()
        assert place.startswith(f"arithmetic.{key}")
        assert text in message

    @pytest.mark.parametrize("model", [3, None, {}, {"source": "hubb"}, {"source": "local"}])
    def test_model_entries(self, model):
        found = problems({**raw(), "models": {"tiny": TINY, "new": model}})
        assert len(found) == 1
        assert next(iter(found)).startswith("models.new")

    def test_strange_top_levels(self):
        assert "models" in problems({1: 2})
        assert "preset" in problems({**raw(), "preset": ["paper"]})

    def test_missing_models_are_reported(self):
        found = problems({})
        assert found["models"].startswith("is missing")
        assert found["arithmetic.models"].startswith("is missing")

    def test_broken_preset_is_reported_and_ends(self):
        broken = {"paper": merge(PRESETS["paper"], {"arithmetic": {"heuristics": {"x": 1}}})}
        assert "arithmetic.heuristics.x" in problems(raw(), broken)


class TestFiles:
    def test_file_that_is_not_yaml(self, tmp_path):
        file = tmp_path / "a.yaml"
        file.write_text("a: [1,\nb: 2")
        with pytest.raises(ConfigError, match=r"cannot be read") as caught:
            read_yaml(file)
        assert "line 2" in str(caught.value)

    def test_file_that_is_a_list(self, tmp_path):
        (tmp_path / "a.yaml").write_text("- 1")
        with pytest.raises(ConfigError, match="block of keys"):
            read_yaml(tmp_path / "a.yaml")

    def test_missing_file_and_missing_presets(self, tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_yaml(tmp_path / "a.yaml")
        with pytest.raises(ConfigError, match="no presets"):
            load_config(raw(), presets=tmp_path)

    def test_empty_file_is_an_empty_block(self, tmp_path):
        (tmp_path / "a.yaml").write_text("# nothing\n")
        assert read_yaml(tmp_path / "a.yaml") == {}


def test_config_is_a_value():
    assert isinstance(load_config(raw(), presets=PRESETS), Config)
    assert load_config(raw(), presets=PRESETS) == load_config(raw(), presets=PRESETS)
