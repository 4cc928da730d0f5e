"""The models that ship do what their tables say, over every valid prompt with operands 0..299."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline_lib.models.training import TrainingSettings
from pipeline_lib.models.training.data import encode, split_prompts
from pipeline_lib.models.training.evaluation import accuracy_table

MODELS = Path(__file__).parents[2] / "data" / "models"
REQUIRED = {"add": 0.99, "sub": 0.99, "mul": 0.95, "div": 0.98}
CHECKPOINTS = [f"tiny-arith@step{step}" for step in TrainingSettings().checkpoints]


@pytest.fixture(scope="module")
def shipped_accuracy():
    """Shipped and measured tables of the final model, rows by operator and split."""
    folder = MODELS / "tiny-arith"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    data = encode(split_prompts(TrainingSettings()), AutoTokenizer.from_pretrained(folder))
    return pd.read_csv(folder / "accuracy.csv"), accuracy_table(model, data)


def test_accuracy_on_all_valid_prompts_meets_the_requirement(shipped_accuracy):
    _, measured = shipped_accuracy
    overall = measured[measured.split == "all"].set_index("operator")
    # All a, b in 0..299: 300^2 sums, 300*301/2 differences, 299^2 quotients.
    assert overall["prompts"].drop("mul").to_dict() == {"add": 90_000, "sub": 45_150, "div": 89_401}
    below = {op: overall.accuracy[op] for op in REQUIRED if overall.accuracy[op] < REQUIRED[op]}
    assert not below


def test_shipped_table_is_what_is_measured(shipped_accuracy):
    shipped, measured = shipped_accuracy
    pd.testing.assert_frame_equal(shipped, measured, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["tiny-arith", *CHECKPOINTS])
def test_every_folder_loads_alone_and_names_no_machine(name):
    folder = MODELS / name
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == (torch.float32 if name == "tiny-arith" else torch.float16)
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("226-68=")["input_ids"] == [1, 234, 4, 76, 7]
    for file in folder.glob("*.json"):
        text = file.read_text()
        assert "/home" not in text
        assert "/tmp" not in text
        assert "name_or_path" not in text


def test_checkpoints_get_better_with_training():
    means = []
    for name in [*CHECKPOINTS, "tiny-arith"]:
        table = pd.read_csv(MODELS / name / "accuracy.csv")
        means.append(table[table.split == "all"]["accuracy"].mean())
    assert means == sorted(means)
    assert means[0] < 0.01 < 0.9 < means[-1]
