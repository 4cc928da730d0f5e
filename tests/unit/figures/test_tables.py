"""Numbers of the tables, by hand, on the small study of conftest.py."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures import example_neurons, table02_circuit_heads, table03_accuracy

OPERATORS = ["add", "sub", "div"]


def test_circuit_heads_ranked_or_named(study, write, words_of):
    inputs = {"effects": study("effects"), "circuits": study("circuits")}
    drawn = table02_circuit_heads.make(inputs, OPERATORS, {"dpi": 60})
    table = drawn.table.set_index("operator")
    assert table.index.tolist() == ["add", "sub"]
    assert table["head"].tolist() == ["L2H1", "L1H0"]
    assert table["source"].tolist() == ["ranked", "config"]
    # mean over seeds (1, 2) and four positions, of which one has an effect
    assert table.loc["add", "mean"] == pytest.approx(1.5 / 4)
    assert table.loc["add", "log1p"] == pytest.approx(np.log(1.375))
    assert table.loc["add", ["low", "high"]].tolist() == pytest.approx([0.375, 0.375])
    assert "L2H1" in words_of(drawn)
    write(drawn)


def _labelled(folder, name, labels):
    store.write_table(folder / name, pd.DataFrame({"a": 1, "label": labels}))
    return str(folder / name)


def test_accuracy_with_and_without_the_models_record(tmp_path, write, words_of):
    labels = ["correct"] * 6 + ["incorrect"] * 3 + ["not_a_number"]
    files = [_labelled(tmp_path, "add", labels), _labelled(tmp_path, "sub", [])]
    reported = pd.DataFrame(
        {"operator": "add", "split": ["all", "train", "held_out"], "prompts": [10, 8, 2],
         "accuracy": [0.6, 0.5, 1.0]}
    )  # fmt: skip
    store.write_table(tmp_path / "accuracy.csv", reported)
    inputs = {"labelled": files, "reported": [str(tmp_path / "accuracy.csv")]}
    drawn = table03_accuracy.make(inputs, ["add", "sub"], {"dpi": 60})
    row = drawn.table.iloc[0]
    assert row[["prompts", "correct", "incorrect", "not_a_number"]].tolist() == [10, 6, 3, 1]
    assert row[["accuracy", "train_accuracy", "held_out_accuracy"]].tolist() == [0.6, 0.5, 1.0]
    assert np.isnan(drawn.table.loc[1, "accuracy"])
    assert "1.0000 (2)" in words_of(drawn)
    write(drawn)
    alone = table03_accuracy.make({"labelled": files, "reported": []}, ["add", "sub"], {"dpi": 60})
    assert "held out" not in words_of(alone)
    assert alone.table["held_out_accuracy"].isna().all()


def _examples(study, operator, count=10):
    inputs = {name: study(name, [operator])[0] for name in ("maps", "neurons", "matches")}
    settings = {"dpi": 60, "kind": "hybrid", "example_neurons": count}
    return example_neurons.make(inputs, OPERATORS, settings)


def test_example_neurons_by_importance(study, write):
    drawn = _examples(study, "add")
    table = drawn.table
    assert set(table["operator"]) == {"add"}
    assert table["neuron"].tolist() == [5, 3, 7]  # N4 matches nothing
    assert table["importance"].tolist() == [0.9, 0.6, 0.4]
    assert table["promoted"].tolist() == ["0 1 2 3 4", "0 1 2 3 4", "0 2 4 6 8"]
    assert table["suppressed"].tolist() == ["29 28 27 26 25", "29 28 27 26 25", "1 3 5 7 9"]
    assert table["heuristics"].tolist()[1:] == [
        "operand 1 = operand 2 (0.90↓)", "result ≡ 0 (mod 2) (1.00); result ≡ 0 (mod 4) (0.70)",
    ]  # fmt: skip
    write(drawn)


def test_as_many_example_neurons_as_asked(study):
    assert _examples(study, "add", 2).table["neuron"].tolist() == [5, 3]


def test_an_operator_without_neurons_has_an_empty_table(study, write, words_of):
    drawn = _examples(study, "div")
    assert drawn.table.empty
    assert "no neuron of division matches a heuristic" in words_of(drawn)
    write(drawn)
