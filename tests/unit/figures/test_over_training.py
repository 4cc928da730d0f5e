"""Numbers of figures 10a to 10c, from tables written by hand."""

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig10a_heuristic_overlap as fig10a
import pipeline_lib.figures.fig10b_shared_faithfulness as fig10b
import pipeline_lib.figures.fig10c_checkpoint_knockout as fig10c
from pipeline_lib import store
from tests.unit.figures.conftest import MATCH_COLUMNS, match_row

OPERATORS = ["add", "sub", "div"]
STEPS = ["step0", "step65"]
SETTINGS = {"checkpoints": STEPS, "kind": "hybrid", "min_prompts": 3}
D_MLP = 10
# (layer, neuron, heuristic): of three final pairs of add, step65 has two, among four of its own
FINAL = {
    "add": [(1, 0, "op1_mod_2_0"), (1, 0, "op1_mod_4_0"), (2, 1, "pair_same")],
    "sub": [(1, 3, "op1_mod_2_0")],
    "div": [],
}
EARLY = {
    ("step65", "add"): [
        (1, 0, "op1_mod_2_0"), (1, 0, "op1_mod_4_0"), (1, 5, "op1_mod_2_0"), (2, 0, "pair_same"),
    ],
    ("step65", "sub"): [(2, 3, "op1_mod_2_0")],
}  # fmt: skip
RIGHT = {"step0": [0, 0, 0, 0], "step65": [1, 0, 1, 0], "final": [1, 1, 1, 1]}


def match_table(pairs):
    rows = [match_row(name, layer, neuron) for layer, neuron, name in pairs]
    return pd.DataFrame(rows, columns=MATCH_COLUMNS)


@pytest.fixture
def overlap(tmp_path):
    """Inputs of figure 10a; div has neither matches nor prompts."""
    store.write_json(tmp_path / "manifest.json", {"shape": {"d_mlp": D_MLP}})
    parts = [
        match_table(pairs).assign(checkpoint=name, operator=operator)
        for (name, operator), pairs in EARLY.items()
    ]
    store.write_table(tmp_path / "matches.csv", pd.concat(parts))
    files = {"final": [], "labelled": []}
    for operator in OPERATORS:
        files["final"].append(str(tmp_path / f"{operator}_final.csv"))
        other_kind = match_table([(1, 9, "pair_same")]).assign(kind="K")
        store.write_table(files["final"][-1], pd.concat([match_table(FINAL[operator]), other_kind]))
    for name, right in RIGHT.items():
        for operator in OPERATORS:
            labels = np.where(np.array(right) == 1, "correct", "incorrect")
            table = pd.DataFrame({"label": labels[: 0 if operator == "div" else 4]})
            files["labelled"].append(str(tmp_path / f"{name}_{operator}.csv"))
            store.write_table(files["labelled"][-1], table)
    fixed = {"manifest": str(tmp_path / "manifest.json"), "matches": str(tmp_path / "matches.csv")}
    return {**files, **fixed}


def test_shares_of_pairs_at_every_checkpoint(overlap, write, words_of):
    drawn = fig10a.make(overlap, OPERATORS, SETTINGS)
    words = words_of(drawn)
    table = drawn.table.set_index(["operator", "checkpoint"])
    assert list(table.index) == [(op, name) for op in OPERATORS for name in [*STEPS, "final"]]
    early = table.loc["add", "step65"]
    assert (early["final_pairs"], early["pairs"], early["in_common"]) == (3, 4, 2)
    assert early["share"] == pytest.approx(2 / 3)
    assert early["kept"] == pytest.approx(2 / 4)
    # in layer 1 two of ten neurons have mod 2 and one mod 4, in layer 2 one is for equal operands
    assert early["chance"] == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert early["accuracy"] == 0.5
    # resampling the two final neurons: both pairs there, or all three, or none
    assert (early["low"], early["high"]) == (0.0, 1.0)
    assert 0 <= early["kept_low"] < 0.5 < early["kept_high"] <= 1
    nothing = table.loc["add", "step0"]
    assert (nothing["share"], nothing["pairs"], nothing["chance"]) == (0, 0, 0)
    assert np.isnan(nothing["kept"])
    assert table.loc["sub", "step65"]["in_common"] == 0  # another layer
    for operator in ("add", "sub"):
        last = table.loc[operator, "final"]
        assert (last["share"], last["kept"], last["low"], last["accuracy"]) == (1, 1, 1, 1)
    assert table.loc["div", "share"].isna().all()
    assert "matches any heuristic" in words
    assert "training step" in words
    assert write(drawn)["pdf"].startswith(b"%PDF")


# fig10b and fig10c


def faithfulness_rows(operator, name, prompts):
    """Rows of three circuits; NL(none) 0 or .5, NL(model) 1, NL(circuit) by prompt."""
    circuits = {"all": 1.0, "shared": 0.5, "random": 0.25}
    return [
        {
            "checkpoint": name, "operator": operator, "a": place, "b": 1, "answer": place + 1,
            "curve": curve, "size": size, "nl": none + kept * (1 - none), "nl_none": none,
            "nl_model": 1.0, "faithfulness": kept if none < 1 else np.nan, "kl": 0.1,
            "correct": place == 0,
        }
        for size, (curve, kept) in enumerate(circuits.items())
        for place, none in enumerate(prompts)
    ]  # fmt: skip


def write_parts(folder, rows_of):
    """One file for every name, with rows of all operators."""
    files = []
    for name in [*STEPS, "final"]:
        rows = [row for operator in OPERATORS for row in rows_of(operator, name)]
        columns = list(rows_of("add", "final")[0])
        files.append(str(folder / f"{name}.csv"))
        store.write_table(files[-1], pd.DataFrame(rows, columns=columns))
    return files


def test_ratio_of_means_beside_the_mean(tmp_path, write, words_of):
    def rows_of(operator, name):
        if operator == "div" or name == "step0":
            return []
        prompts = [0.0, 0.5, 1.0, 0.5] if operator == "add" else [0.0, 0.5]
        rows = faithfulness_rows(operator, name, prompts)
        for row in rows:  # one prompt of add loses all with the shared neurons
            if operator == "add" and row["curve"] == "shared" and row["a"] == 0:
                row |= {"nl": -1.0, "faithfulness": -1.0}
        return rows

    inputs = {"faithfulness": write_parts(tmp_path, rows_of)}
    drawn = fig10b.make(inputs, OPERATORS, SETTINGS)
    words = words_of(drawn)
    table = drawn.table.set_index(["operator", "checkpoint", "circuit"]).sort_index()
    assert set(table.index.get_level_values("checkpoint")) == {"step65", "final"}
    every = table.loc["add", "step65", "all"]
    assert (every["ratio_of_means"], every["low"], every["high"]) == (1, 1, 1)
    assert (every["n_prompts"], every["n_undefined"], every["n_neurons"]) == (4, 1, 0)
    assert every["accuracy"] == 0.25
    shared = table.loc["add", "step65", "shared"]
    # gained: -1, .25, 0, .25 of 1, .5, 0, .5
    assert shared["ratio_of_means"] == pytest.approx(-0.5 / 2)
    assert shared["faithfulness"] == pytest.approx((-1 + 0.5 + 0.5) / 3)
    assert shared["low"] < shared["ratio_of_means"] < shared["high"] <= 0.5
    assert bool(every["drawn"])
    assert not table.loc["sub", "drawn"].any()  # two prompts, three are asked for
    assert "too few right answers" in words
    assert "no prompts" in words
    assert write(drawn)["csv"].count(b"\n") == 1 + 2 * 2 * 3


def test_knockouts_over_training(tmp_path, write, words_of):
    def rows_of(operator, name):
        if operator == "div" or (name == "step0" and operator == "add"):
            return []
        n_prompts = 2 if operator == "sub" and name == "step65" else 4
        return [
            {
                "checkpoint": name, "operator": operator, "condition": condition, "limit": limit,
                "n_neurons": 2 * limit if condition == "heuristic" or limit < 9 else 1,
                "correct": condition == "control" or place >= limit // 5,
            }
            for condition in ("heuristic", "control")
            for limit in (0, 5, 10)
            for place in range(n_prompts)
        ]  # fmt: skip

    inputs = {"knockouts": write_parts(tmp_path, rows_of)}
    drawn = fig10c.make(inputs, OPERATORS, SETTINGS)
    words = words_of(drawn)
    table = drawn.table.set_index(["operator", "checkpoint", "condition", "limit"]).sort_index()
    accuracy = table.loc[("add", "step65", "heuristic"), "accuracy"]
    assert accuracy.to_dict() == {0: 1.0, 5: 0.75, 10: 0.5}
    assert (table.loc[("add", "step65", "control"), "accuracy"] == 1).all()
    row = table.loc["add", "step65", "heuristic", 10]
    assert 0 <= row["low"] < 0.5 < row["high"] <= 1
    assert row["mean_neurons"] == 20
    # a control that found 1 of 20 neurons is none
    assert table.loc[("add", "final", "control"), "drawn"].to_dict() == {
        0: True,
        5: True,
        10: False,
    }
    assert not table.loc[("sub", "step65"), "drawn"].any()
    assert table.loc[("sub", "step0", "heuristic"), "drawn"].all()
    assert ("add", "step0") not in table.index.droplevel([2, 3])
    for expected in (
        "5 neurons in each layer",
        "10 neurons in each layer",
        "too few right answers",
    ):
        assert expected in words
    assert "0 neurons in each layer" not in words.splitlines()
    assert "none where too few" in words
    assert write(drawn)["png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("module", [fig10b, fig10c])
def test_no_checkpoint_answers_anything(module, tmp_path, words_of, write):
    columns = {
        fig10b: fig10b.NEEDED, fig10c: ["checkpoint", "operator", *fig10c.READ],
    }[module]  # fmt: skip
    store.write_table(tmp_path / "empty.csv", pd.DataFrame(columns=columns))
    files = [str(tmp_path / "empty.csv")] * 3
    drawn = module.make({"faithfulness": files, "knockouts": files}, OPERATORS, SETTINGS)
    assert "no checkpoint answers enough prompts" in words_of(drawn)
    assert list(drawn.table.columns) == module.COLUMNS
    assert write(drawn)["csv"].count(b"\n") == 1


def test_no_heuristics_at_all(overlap, words_of):
    store.write_table(overlap["matches"], match_table([]).assign(checkpoint="", operator=""))
    inputs = {**overlap, "final": [overlap["final"][-1]], "labelled": overlap["labelled"][2::3]}
    drawn = fig10a.make(inputs, ["div"], SETTINGS)
    assert "no neuron of the final model" in words_of(drawn)
    assert len(drawn.table) == 3


def test_many_checkpoints_have_few_labels(overlap):
    steps = [f"step{1000 * n}" for n in range(40)]
    table = pd.concat([
        pd.DataFrame({
            "operator": "add", "checkpoint": [*steps, "final"], "final_pairs": 3, "share": 0.5,
            "low": 0.4, "high": 0.6, "kept": 0.5, "kept_low": 0.4, "kept_high": 0.6, "chance": 0.1,
            "accuracy": 0.5,
        })
    ])  # fmt: skip
    figure = fig10a.draw_overlap(table, ["add"], [*steps, "final"])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(labels) <= 8
    assert labels[-1] == "final"
    assert figure.axes[0].get_xlabel() == "training step"
