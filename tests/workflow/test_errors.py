"""Bad input as a user meets it: one clear error, no traceback, before any job where possible."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.project import copy_project, said, snakemake

DIGITS = [*"0123456789+-*/=", "<unk>", "<bos>"]


def configure(project: Path, **content) -> tuple[str, ...]:
    (project / "bad.yaml").write_text(yaml.safe_dump(content))
    return ("config/test.yaml", "bad.yaml")


def refused(project: Path, *args: str, configs) -> str:
    """What a run that must fail says; it never shows a traceback."""
    result = snakemake(project, *args, configs=configs)
    assert result.returncode != 0
    assert "Traceback" not in said(result)
    return said(result)


@pytest.fixture
def project(tmp_path) -> Path:
    return copy_project(tmp_path / "project")


def test_all_config_problems_are_listed_at_once_with_the_nearest_key(project):
    study = {"operatorz": ["add"], "seeds": [], "prompts": {"max_operand": "many"}}
    study |= {"operators": ["add", "mull"]}
    text = refused(project, "-n", configs=configure(project, arithmetic=study, modles={}))
    for part in (
        "arithmetic.operatorz = ['add']: unknown key; did you mean \"operators\"?",
        'did you mean "mul"?',
        'did you mean "models"?',
        "arithmetic.seeds",
        "arithmetic.prompts.max_operand",
    ):
        assert part in text


def test_missing_folders_and_weights_are_found_before_any_job(project):
    empty = project / "data" / "models" / "empty"
    empty.mkdir()
    shutil.copy(project / "data/models/tiny-arith/config.json", empty)
    models_ = {
        "empty": {"source": "local", "path": "data/models/empty"},
        "absent": {"source": "local", "path": "data/models/absent"},
    }
    study = {"models": ["empty", "absent"]}
    text = refused(project, "-n", configs=configure(project, models=models_, arithmetic=study))
    assert "no weights (*.safetensors)" in text
    assert "the model's folder does not exist" in text
    assert "models.absent" in text


def test_a_tokenizer_that_writes_digits_is_refused_with_what_it_does(project):
    folder = project / "data" / "models" / "tiny-arith"
    vocabulary = {token: index for index, token in enumerate(DIGITS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<bos>")
    fast.save_pretrained(folder)
    target = "data/arithmetic/tiny-arith/prompts/context.json"
    text = refused(project, target, configs=("config/test.yaml",))
    assert "does not write numbers as single tokens" in text
    assert "['1', '0', '+', '1', '0', '=']" in text


def test_nan_in_the_weights_is_refused_naming_the_tensor(project):
    path = project / "data" / "models" / "tiny-arith" / "model.safetensors"
    weights = load_file(path)
    weights["model.layers.1.mlp.down_proj.weight"][0, 0] = torch.nan
    save_file(weights, path, metadata={"format": "pt"})
    target = "data/arithmetic/tiny-arith/prompts/add/labelled.csv"
    text = refused(project, target, configs=("config/test.yaml",))
    assert "NaN or infinite values" in text
    assert "model.layers.1.mlp.down_proj.weight" in text


def test_a_truncated_artifact_names_itself_and_the_fix(finished_project, tmp_path):
    project = Path(shutil.copytree(finished_project, tmp_path / "project", symlinks=True))
    artifact = project / "data/arithmetic/tiny-arith/heuristics/add_scores.h5"
    whole = artifact.read_bytes()
    artifact.write_bytes(whole[: len(whole) // 3])
    (project / "change.yaml").write_text(
        json.dumps({"arithmetic": {"heuristics": {"threshold": 0.5}}})
    )
    target = "data/arithmetic/tiny-arith/heuristics/threshold/add_matches.csv"
    text = refused(project, target, configs=("config/test.yaml", "change.yaml"))
    assert "truncated or not HDF5" in text
    assert "add_scores.h5" in text
    assert "Delete the file and run snakemake again" in text
    artifact.unlink()
    result = snakemake(project, target, configs=("config/test.yaml", "change.yaml"))
    assert result.returncode == 0, said(result)


def test_a_study_that_is_switched_off_plans_nothing(project):
    configs = configure(project, arithmetic={"enabled": False})
    result = snakemake(project, "--dry-run", configs=configs)
    assert result.returncode == 0, said(result)
    assert "label_prompts" not in said(result)


def test_the_shim_of_the_catalog_plans_the_same_jobs(project):
    result = snakemake(
        project, "--snakefile", "workflow/Snakefile", "--dry-run", "--quiet", "rules"
    )
    assert result.returncode == 0, said(result)
    assert "indirect_effects" in said(result)
