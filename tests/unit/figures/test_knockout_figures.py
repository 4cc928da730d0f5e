"""Plotted numbers of the knockouts' figures 7 and 8, by hand."""

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig07_heuristic_knockout as fig07
import pipeline_lib.figures.fig08_prompt_knockout as fig08
from pipeline_lib import store

OPERATORS = ["add", "sub", "div"]
KIND = {"dpi": 60, "kind": "hybrid"}
NEURONS = {"importance": "mean", "per_layer": 2, "first_heuristics_layer": 1}


# fig07


def _knockouts(folder, rows, matched=()):
    """Knockouts of the rows' heuristics, and ``matched``: a heuristic, accuracies without sets."""
    columns = ["heuristic", "label", "n_neurons", "n_associated", "n_other",
               "baseline_associated", "associated", "baseline_other", "other"]  # fmt: skip
    own = pd.DataFrame(rows, columns=columns).assign(ablation="zero", condition="heuristic")
    parts = [own, own.assign(ablation="mean", associated=0.0)]
    for name, accuracies in dict(matched).items():
        drawn = own[own["heuristic"] == name].assign(condition="matched")
        parts += [drawn.assign(associated=accuracy) for accuracy in accuracies]
        parts += [drawn.assign(ablation="resample", associated=0.1)]
    path = folder / f"knockouts_{len(rows)}.csv"
    store.write_table(path, pd.concat(parts))
    return str(path)


def test_heuristics_are_sorted_by_their_drop(tmp_path, write, words_of):
    rows = [
        ("b", "B", 10, 100, 100, 0.9, 0.9, 1.0, 1.0),
        ("a", "A", 12, 50, 50, 1.0, 0.5, 1.0, 0.8),
    ]
    matched = {"a": [0.5, 0.7, 0.9, 1.0], "b": [0.9, 0.8, 0.7, 0.6]}
    first = _knockouts(tmp_path, rows, matched)
    files = [first, _knockouts(tmp_path, []), _knockouts(tmp_path, rows[:1])]
    drawn = fig07.make({"knockouts": files}, OPERATORS, {"dpi": 60})
    add = drawn.table[drawn.table["operator"] == "add"]
    assert add["heuristic"].tolist() == ["a", "b"]
    assert add["rank"].tolist() == [1, 2]
    assert add["drop"].tolist() == [0.5, 0.0]
    assert add["associated_low"].iloc[0] == pytest.approx(0.36645, abs=1e-4)  # 25 of 50, Wilson
    assert add["matched"].tolist() == pytest.approx([0.775, 0.75])
    # quantiles of four values: 0.025 * 3 of the way from the lowest to the next
    assert add["matched_low"].tolist() == pytest.approx([0.515, 0.6075])
    assert add["matched_high"].tolist() == pytest.approx([0.9925, 0.8925])
    assert add["p_value"].tolist() == pytest.approx([2 / 5, 5 / 5])
    without = drawn.table[drawn.table["operator"] != "add"]
    assert without["n_draws"].tolist() == [0]
    assert without["p_value"].isna().all()
    text = words_of(drawn)
    assert "● 0.70  ✕ 0.90  □ 0.76" in text
    assert text.count("no heuristic has") == 1
    write(drawn)


def test_many_heuristics_can_be_drawn(tmp_path, write, words_of):
    rows = [(f"h{i}", "H", 10, 100, 100, 1.0, i / 80, 1.0, 1.0) for i in range(80)]
    drawn = fig07.make({"knockouts": [_knockouts(tmp_path, rows)]}, ["add"], {"dpi": 60})
    assert drawn.table["drop"].tolist() == [1 - i / 80 for i in range(80)]
    assert "n = 80" in words_of(drawn)
    write(drawn)


# fig08


def _by_prompt(folder, name, correct):
    rows = [
        (a, 0, a, kind, condition, limit, 2 * limit, right and kind == "zero")
        for kind in ("zero", "resample")
        for (condition, limit), all_right in correct.items()
        for a, right in enumerate(all_right)
    ]
    columns = ["a", "b", "answer", "ablation", "condition", "limit", "n_neurons", "correct"]
    store.write_table(folder / name, pd.DataFrame(rows, columns=columns))
    return str(folder / name)


def test_accuracy_at_every_limit(tmp_path, write, words_of):
    right = [True] * 4
    correct = {
        ("heuristic", 0): right, ("control", 0): right, ("control", 5): right,
        ("heuristic", 5): [True, False, False, False], ("matched", 5): [True, True, True, False],
    }  # fmt: skip
    files = [_by_prompt(tmp_path, "add.csv", correct), _by_prompt(tmp_path, "sub.csv", {})]
    drawn = fig08.make({"knockouts": files}, ["add", "sub"], {"dpi": 60})
    table = drawn.table.set_index(["condition", "limit"])
    assert table.loc[("heuristic", 5), "accuracy"] == 0.25
    assert table.loc[("heuristic", 5), "low"] == 0.0
    assert 0.25 < table.loc[("heuristic", 5), "high"] <= 0.75
    assert table.loc[("control", 5), ["accuracy", "low", "high"]].tolist() == [1.0, 1.0, 1.0]
    assert table.loc[("control", 5), "mean_neurons"] == 10.0
    assert table.loc[("matched", 5), "accuracy"] == 0.75
    assert set(table["n_prompts"]) == {4}
    assert "subtraction (no prompts)" in words_of(drawn)
    write(drawn)


def test_a_control_without_enough_neurons_is_not_drawn(words_of):
    columns = ["condition", "limit", "n_neurons", "correct"]
    rows = [("heuristic", 5, 10, False), ("control", 5, 8, True), ("heuristic", 1, 2, True)]
    rows.append(("control", 1, 2, True))
    knockouts = pd.DataFrame(rows, columns=columns)
    table = fig08.tabulate_accuracy("add", knockouts, np.random.default_rng(0))
    drawn = table.set_index(["condition", "limit"])["drawn"]
    assert drawn["heuristic", 5]
    assert drawn["control", 1]
    assert not drawn["control", 5]
    words = words_of(fig08.Drawn(fig08.draw_accuracy(table, ["add"]), table))
    assert "too few other top neurons" in words
