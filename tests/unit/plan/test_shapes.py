"""Where a model's shape comes from, and what is said when nobody knows it."""

import json
import shutil

import pytest

from pipeline_lib.errors import ModelError, TokenizerError
from pipeline_lib.models import NumberTokens, load_tokenizer, read_model_shape
from pipeline_lib.models.planted.folder import write_planted_model
from pipeline_lib.models.planted.settings import PlantedSettings
from pipeline_lib.plan import make_plan
from pipeline_lib.plan.shapes import find_max_number, find_shape
from tests.project import ROOT
from tests.unit.plan.conftest import HUB, SHAPE

TINY = ROOT / "data" / "models" / "tiny-arith"
STUDY = {"arithmetic": {"models": ["some"]}}
PLANTED = {"arithmetic": {"models": ["planted"]}}
WEIGHTS = "model.safetensors"


def test_a_local_model_is_read_from_its_folder(config):
    shape, weights = find_shape(config(), "tiny-arith@step65", ROOT)
    max_number = find_max_number(config(), "tiny-arith@step65", ROOT)
    assert shape == read_model_shape(TINY)
    assert max_number == NumberTokens.measure(load_tokenizer(TINY)).max_number
    file = ROOT / "data" / "models" / "tiny-arith@step65" / "model.safetensors"
    assert weights == file.stat().st_size


def test_a_hub_model_needs_no_network_with_a_shape(config, tmp_path):
    checked = config({"models": {"some": {**HUB, "checkpoints": ["v0"]}}}, STUDY)
    for name in ("some", "some@v0"):
        shape, weights = find_shape(checked, name, tmp_path)
        max_number = find_max_number(checked, name, tmp_path)
        assert (shape.n_layers, shape.d_mlp, max_number, weights) == (6, 512, 999, None)


def test_an_unknown_shape_is_one_error_with_the_fix(config, tmp_path):
    unknown = {key: value for key, value in HUB.items() if key != "shape"}
    with pytest.raises(ModelError, match="shape is unknown") as error:
        make_plan(config({"models": {"some": unknown}}, STUDY), tmp_path)
    assert "models.some.shape" in str(error.value)
    assert "data/models/some/download.json" in str(error.value)


def test_a_missing_local_folder_names_the_key(config, tmp_path):
    with pytest.raises(ModelError, match=r"models\.tiny-arith\.path"):
        find_shape(config(), "tiny-arith", tmp_path)


def test_a_downloaded_model_must_agree_with_its_shape(config, tmp_path):
    shutil.copytree(TINY, tmp_path / "data" / "models" / "some")
    checked = config({"models": {"some": HUB}}, STUDY)
    with pytest.raises(ModelError, match=r"n_layers 6 \(found 4\)"):
        find_shape(checked, "some", tmp_path)
    tiny = read_model_shape(TINY)
    sizes = {key: getattr(tiny, key) for key in SHAPE if key != "max_number"}
    checked = config({"models": {"some": {**HUB, "shape": sizes | {"max_number": 10}}}}, STUDY)
    shape, weights = find_shape(checked, "some", tmp_path)
    assert (shape, find_max_number(checked, "some", tmp_path)) == (tiny, 999)
    assert weights > 10**6


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"model": {"vocab": 3}})])
def test_a_damaged_tokenizer_is_named(config, tmp_path, text):
    folder = tmp_path / "data" / "models" / "tiny-arith"
    shutil.copytree(TINY, folder)
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        find_max_number(config(), "tiny-arith", tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n_kv_heads": 3}, "must divide n_heads"),
        ({"d_mpl": 4}, "d_mlp"),
        ({"n_layers": 0}, "n_layers"),
        ({"max_number": "many"}, "max_number"),
    ],
)
def test_a_wrong_shape_block_is_refused(config, change, told):
    wrong = {"models": {"some": {**HUB, "shape": {**SHAPE, **change}}}}
    with pytest.raises(Exception, match=told):
        config(wrong, STUDY)


def test_a_shape_block_must_be_whole(config):
    part = {key: value for key, value in SHAPE.items() if key != "d_mlp"}
    with pytest.raises(Exception, match="d_mlp"):
        config({"models": {"some": {**HUB, "shape": part}}}, STUDY)


def test_a_planted_model_is_known_before_it_is_built(config, tmp_path):
    checked = config({"models": {"planted": {"source": "planted"}}}, PLANTED)
    shape, weights = find_shape(checked, "planted", tmp_path)
    max_number = find_max_number(checked, "planted", tmp_path)
    assert (shape.n_layers, max_number, weights) == (3, 149, None)
    folder = tmp_path / "data" / "models" / "planted"
    write_planted_model(PlantedSettings(), folder)
    assert find_shape(checked, "planted", tmp_path)[1] == (folder / WEIGHTS).stat().st_size
    assert read_model_shape(folder) == shape
    assert NumberTokens.measure(load_tokenizer(folder)).max_number == max_number


def test_building_a_planted_model_is_a_stage_of_its_own(config, tmp_path):
    checked = config({"models": {"planted": {"source": "planted"}}}, PLANTED)
    stages = {stage.rule: stage for stage in make_plan(checked, tmp_path)[0].stages}
    assert "fetch_model" not in stages
    write_planted_model(PlantedSettings(), tmp_path / "planted")
    used = sum(file.stat().st_size for file in (tmp_path / "planted").iterdir())
    assert stages["plant_model"].disk_bytes == pytest.approx(used, rel=0.1)
    assert stages["plant_model"].jobs == 1
