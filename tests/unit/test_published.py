"""The published numbers: which models have them, and that they are whole."""

import pandas as pd
import pytest

from pipeline_lib.circuits.ranking import Head
from pipeline_lib.config import load_config, merge, read_yaml
from pipeline_lib.published.arithmetic import published_numbers
from tests.project import ROOT

LLAMA = "meta-llama/Meta-Llama-3-8B"


def values(repo, quantity, revision="a" * 40):
    rows = published_numbers(repo, revision)
    return rows[rows["quantity"] == quantity].set_index("operator")["value"]


@pytest.mark.parametrize(
    ("repo", "accuracy"),
    [
        (LLAMA, [0.97, 0.96, 0.84, 0.92, 0.95]),
        ("meta-llama/Meta-Llama-3-70B", [0.97, 0.99, 0.99, 0.73, 0.88]),
        ("EleutherAI/pythia-6.9b", [0.30, 0.04, 0.27, 0.75, 0.43]),
        ("EleutherAI/gpt-j-6B", [0.23, 0.09, 0.46, 0.64, 0.37]),
    ],
)
def test_accuracy_of_table_3(repo, accuracy):
    found = values(repo, "accuracy")
    assert found.index.tolist() == ["add", "sub", "mul", "div", "all"]
    assert found.astype(float).tolist() == accuracy


def test_pooled_accuracy_follows_from_the_operators():
    """Valid prompts with operands below 300 and answers to 999, as the paper counts Llama3-8B."""
    sizes = {"add": 90_000, "sub": 45_150, "mul": 5_784, "div": 89_700}
    found = values(LLAMA, "accuracy").astype(float)
    pooled = sum(sizes[op] * found[op] for op in sizes) / sum(sizes.values())
    assert pooled == pytest.approx(found["all"], abs=0.005)


def test_heads_are_those_of_the_config_and_as_many_as_table_1_says():
    lists = values(LLAMA, "heads").str.split()
    assert lists.str.len().tolist() == values(LLAMA, "n_heads").astype(int).tolist()
    assert all(Head.from_name(name).name == name for heads in lists for name in heads)
    raw = merge(read_yaml(ROOT / "config/config.yaml"), read_yaml(ROOT / "config/paper.yaml"))
    config = load_config(raw, presets=ROOT / "config/presets")
    name = next(n for n in config.models if getattr(config.model(n), "repo", "") == LLAMA)
    assert {op: list(h) for op, h in config.arithmetic_for(name).circuit.heads.items()} == dict(
        lists
    )


def test_only_the_model_itself_has_numbers():
    assert len(published_numbers(LLAMA.lower(), "main")) == len(published_numbers(LLAMA, None))
    assert published_numbers(None, None).empty
    assert published_numbers("someone/Meta-Llama-3-8B", "v1").empty
    pythia = "EleutherAI/pythia-6.9b"
    whole = published_numbers(pythia, "step143000")
    pd.testing.assert_frame_equal(whole, published_numbers(pythia, "b" * 40))
    assert len(whole) == 6
    assert published_numbers(pythia, "step1000").empty
