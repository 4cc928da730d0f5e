"""Figures 9, 13, 14, embeddings, table 8 and key vectors: their numbers by hand, and empty ones."""

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.embeddings as embeddings
import pipeline_lib.figures.fig09_failure_modes as fig09
import pipeline_lib.figures.fig13_mlp0_neurons as fig13
import pipeline_lib.figures.fig14_attention_patterns as fig14
import pipeline_lib.figures.neuron_vectors as vectors
import pipeline_lib.figures.table08_unclassified_neurons as table08
from pipeline_lib import store
from pipeline_lib.measures.attention import SOURCES
from pipeline_lib.stimuli.arithmetic import POSITIONS

KIND = {"kind": "hybrid", "example_neurons": 10}


def failures(tmp_path, **logits):
    """Failure tables: per operator the logits of correct and of incorrect prompts."""
    paths = []
    for operator, (right, wrong) in logits.items():
        n = len(right) + len(wrong)
        table = pd.DataFrame({"operator": [operator] * n, "a": 1, "b": 2, "answer": 3})
        table["label"] = ["correct"] * len(right) + ["incorrect"] * len(wrong)
        table = table.assign(predicted=3, logit=[*right, *wrong], n_neurons=range(n))
        paths.append(str(tmp_path / f"{operator}.csv"))
        store.write_table(paths[-1], table[fig09.COLUMNS])
    return {"failures": paths}


def test_failures_are_compared(tmp_path, write, words_of):
    inputs = failures(tmp_path, add=([4.0, 5.0, 6.0], [1.0, 2.0, 3.0]), sub=([1.0, 2.0], []))
    drawn = fig09.make(inputs, ["add", "sub"], {})
    tests = drawn.table.dropna(subset=["quantity"]).set_index(["operator", "quantity"])
    assert tests.loc[("add", "logit"), "difference"] == 3.0
    assert tests.loc[("add", "logit"), "p_value"] == pytest.approx(0.1, abs=0.015)
    # neurons 0, 1, 2 against 3, 4, 5
    assert tests.loc[("add", "n_neurons"), "difference"] == -3.0
    assert np.isnan(tests.loc[("sub", "logit"), "p_value"])
    assert drawn.table["quantity"].isna().sum() == 8
    words = words_of(drawn)
    assert words.count("no incorrect\nprompts") == 2
    assert "no correct\nprompts" not in words
    assert f"p = {tests.loc[('add', 'logit'), 'p_value']:.2g}" in words
    write(drawn)


def test_failures_of_an_operator_without_prompts(tmp_path, write, words_of):
    inputs = failures(tmp_path, add=([4.0], [1.0]), div=([], []))
    drawn = fig09.make(inputs, ["add", "div"], {})
    assert words_of(drawn).count("no prompts answered") == 2
    write(drawn)
    nothing = fig09.make(failures(tmp_path, div=([], [])), ["div"], {})
    assert "no operator" in words_of(nothing)
    write(nothing)


def mlp0_inputs(tmp_path, n_prompts):
    """Activation n + 10 m of neuron m on number n; importance of neuron m at position p is p m."""
    importance = np.arange(4)[:, None, None] * np.array([1.0, 4.0, 2.0, 3.0, np.nan])
    importance[3] = 99 * np.array([5, 0, 0, 0, 0])  # "=" does not count
    coords = {"position": list(POSITIONS), "layer": [0]}
    arrays = {
        "neurons_mean": store.Array(importance, ("position", "layer", "neuron")),
        "neurons_last": store.Array(np.zeros((n_prompts, 1, 5)), ("prompt", "layer", "neuron")),
    }
    store.write_artifact(tmp_path / "att", "attribution", arrays, coords=coords, provenance={})
    values = np.arange(6)[:, None] + 10.0 * np.arange(5)
    arrays = {"activation": store.Array(values, ("number", "neuron"))}
    coords = {"number": np.arange(6)}
    store.write_artifact(tmp_path / "mlp0", "mlp0_numbers", arrays, coords=coords, provenance={})
    return {"mlp0": str(tmp_path / "mlp0"), "attribution": [str(tmp_path / "att")]}


def test_most_important_neurons_of_mlp0(tmp_path, write):
    drawn = fig13.make(mlp0_inputs(tmp_path, 2), ["add"], {})
    ranks = drawn.table.drop_duplicates("rank")
    assert ranks["neuron"].tolist() == [1, 3, 2]
    # positions 0, 1 and 2: the mean of 0, 4 and 8
    assert ranks["importance"].tolist() == [4.0, 3.0, 2.0]
    assert drawn.table["activation"].tolist()[:6] == [10, 11, 12, 13, 14, 15]
    write(drawn)


def test_mlp0_without_prompts_cannot_be_ranked(tmp_path, write, words_of):
    drawn = fig13.make(mlp0_inputs(tmp_path, 0), ["add"], {})
    assert "no operator" in words_of(drawn)
    write(drawn)


def write_patterns(path, n_prompts):
    patterns = np.zeros((n_prompts, 3, 2, 5, 5))
    patterns[:, 2, 1, 4, 1] = np.linspace(0.2, 0.6, n_prompts)
    axes = ("prompt", "layer", "head", "query", "source")
    arrays = {"pattern": store.Array(patterns, axes)}
    store.write_artifact(path, "attention_patterns", arrays, coords={}, provenance={})
    return str(path)


def test_patterns_of_the_general_heads(study, tmp_path, write, words_of):
    patterns = write_patterns(tmp_path / "patterns", 3)
    inputs = {"patterns": patterns, "effects": study("effects"), "circuits": study("circuits")}
    drawn = fig14.make(inputs, ["add", "sub", "div"], {})
    # one head in the circuit of each of the two operators that have prompts
    assert len(drawn.table) == 2 * len(SOURCES) ** 2
    cells = drawn.table.set_index(["layer", "head", "query", "source"])
    cell = cells.loc[(2, 1, "equals", "operand1")]
    assert cell["n_operators"] == 1
    assert cell["mean"] == pytest.approx(0.4)
    assert 0.2 <= cell["low"] < 0.4 < cell["high"] <= 0.6
    assert "L2H1  (circuit of 1 of 3 operators)" in words_of(drawn)
    write(drawn)


def test_general_heads_serve_most_operators_first():
    rows = [("add", "L0H1", 9.0), ("add", "L0H0", 1.0), ("sub", "L0H0", 1.0), ("sub", "L1H1", 10.0)]
    found = fig14.general_heads(pd.DataFrame(rows, columns=["operator", "head", "mean"]))
    assert found["head"].tolist() == ["L0H0", "L1H1", "L0H1"]
    assert found["n_operators"].tolist() == [2, 1, 1]


def test_no_patterns(study, tmp_path, write, words_of):
    patterns = write_patterns(tmp_path / "patterns", 0)
    inputs = {"patterns": patterns}
    inputs |= {name: study(name, ["div"]) for name in ("effects", "circuits")}
    drawn = fig14.make(inputs, ["div"], {})
    assert "no operator" in words_of(drawn)
    write(drawn)


def write_outputs(path, n_prompts):
    corners = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])[:n_prompts]
    arrays = {"mlp_out": store.Array(corners + 5, ("prompt", "d_model"))}
    names = {"operator": [1, 1, 1, 1], "a": [9, 10, 20, 1], "b": [1, 1, 1, 1]}
    names["answer"] = [8, 9, 19, 9]
    for name, values in names.items():
        arrays[name] = store.Array(np.array(values[:n_prompts], dtype=np.int64), ("prompt",))
    coords = {"operator": ["add", "sub"]}
    store.write_artifact(path, "mlp_outputs", arrays, coords=coords, provenance={})
    return {"outputs": str(path)}


def test_places_on_the_components(tmp_path, write, words_of):
    drawn = embeddings.make(write_outputs(tmp_path / "out", 4), ["add", "sub"], {})
    table = drawn.table
    assert set(table["operator"]) == {"sub"}
    np.testing.assert_allclose(table[["pc1", "pc2"]], [[2, 1], [2, -1], [-2, 1], [-2, -1]])
    np.testing.assert_allclose(table[["explained1", "explained2"]], [[0.8, 0.2]] * 4)
    assert table["parity"].tolist() == [0, 1, 1, 1]
    assert table["last_digit"].tolist() == [8, 9, 9, 9]
    assert table["answer_rank"].tolist() == [0.25, 0.625, 1.0, 0.625]
    assert words_of(drawn).count("no correct prompts") == 3
    write(drawn)


def test_no_places(tmp_path, write, words_of):
    drawn = embeddings.make(write_outputs(tmp_path / "out", 0), ["add"], {})
    assert "no operator" in words_of(drawn)
    write(drawn)


def test_unclassified_neurons(study, write, words_of):
    inputs = {name: study(name) for name in ("maps", "neurons", "matches")}
    table = table08.make(inputs, ["add", "sub", "div"], KIND)
    rows = table.table.set_index("operator")
    # L2 N4 is the one neuron of add and of sub without a match; its vector suppresses large ones
    assert rows.loc["add", ["layer", "neuron", "importance"]].tolist() == [2, 4, 0.5]
    assert rows.loc["sub", ["layer", "neuron", "importance"]].tolist() == [2, 4, 0.1]
    assert rows.loc["add", "promoted"] == "0 1 2 3 4"
    assert rows.loc["add", "suppressed"] == "29 28 27 26 25"
    assert rows["n_unclassified"].tolist() == [1, 1, 0]
    assert rows["n_neurons"].tolist() == [4, 2, 0]
    words = words_of(table)
    assert "addition (1 of 4)" in words
    assert "division (0 of 0)" in words
    write(table)


def write_keys(path, neurons):
    """Gate keys promote large numbers, up keys the even ones."""
    n = np.arange(30.0)
    rows = {"gate": n, "up": np.where(n % 2 == 0, 1.0, -1.0)}
    arrays = {
        name: store.Array(np.tile(row, (len(neurons), 1)), ("neuron", "number"))
        for name, row in rows.items()
    }
    for place, name in enumerate(("layer", "neuron")):
        values = np.array([row[place] for row in neurons], dtype=np.int64)
        arrays[name] = store.Array(values, ("neuron",))
    store.write_artifact(path, "key_vectors", arrays, coords={}, provenance={})
    return str(path)


def test_vectors_of_the_most_important_neurons(study, tmp_path, write):
    keys = write_keys(tmp_path / "keys", [(2, 4), (1, 5)])
    inputs = {name: study(name, ["sub"]) for name in ("maps", "neurons")} | {"key_vectors": keys}
    drawn = vectors.make(inputs, ["sub"], KIND | {"example_neurons": 1})
    rows = drawn.table.set_index("vector")
    assert drawn.table["vector"].tolist() == ["gate", "up", "out"]
    assert set(rows["neuron"]) == {5}
    assert rows.loc["gate", "promoted"] == "29 28 27 26 25 24 23 22 21 20"
    assert rows.loc["up", "suppressed"] == "1 3 5 7 9 11 13 15 17 19"
    assert rows.loc["out", "promoted"] == "0 1 2 3 4 5 6 7 8 9"
    write(drawn)


def test_no_neurons_to_read(study, tmp_path, write, words_of):
    keys = write_keys(tmp_path / "keys", [])
    inputs = {name: study(name, ["div"]) for name in ("maps", "neurons")} | {"key_vectors": keys}
    drawn = vectors.make(inputs, ["div"], KIND)
    assert "no neuron" in words_of(drawn)
    write(drawn)
