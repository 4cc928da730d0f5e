"""Plotted numbers of every figure, by hand, on the small study of conftest.py."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig01_running_example as fig01
import pipeline_lib.figures.fig02_localization as fig02
import pipeline_lib.figures.fig04a_neuron_effects as fig04a
import pipeline_lib.figures.fig05_heuristic_types as fig05
import pipeline_lib.figures.fig06_matching_example as fig06
import pipeline_lib.figures.fig15_neuron_iou as fig15
import pipeline_lib.figures.heuristic_counts as counts
from pipeline_lib import store

OPERATORS = ["add", "sub", "div"]
KIND = {"dpi": 60, "kind": "hybrid"}
NEURONS = {"importance": "mean", "per_layer": 2, "first_heuristics_layer": 1}


# fig02


def test_localization_is_the_log_of_the_mean_over_prompts_seeds_and_operators(study, write):
    drawn = fig02.make({"effects": study("effects")}, OPERATORS, {"dpi": 60})
    table = drawn.table.set_index(["layer", "component", "position"])
    # add (1 + 2) / 2 and sub 3 times that; div has no prompts
    assert table.loc[(2, "head_1", "equals"), "mean"] == 3.0
    assert table.loc[(2, "head_1", "equals"), "log1p"] == pytest.approx(np.log(4.0))
    assert table.loc[(0, "mlp", "operand1"), "mean"] == 0.5
    assert len(table) == 3 * 3 * 4
    assert set(table["n_operators"]) == {2}
    assert set(table["n_prompts"]) == {4}
    heads, mlps = (axes.images[0].get_array() for axes in drawn.figure.axes[:2])
    assert heads.shape == (3, 2)
    assert heads[2, 1] == pytest.approx(np.log(4.0))
    assert mlps.shape == (3, 4)
    assert mlps[0, 0] == pytest.approx(np.log(1.5))
    write(drawn)


def test_intervals_of_effects_resample_prompts_within_operators(study):
    """All resamples of two prompts an operator, each as likely as another."""
    effects = {op: fig02.read_effects(study("effects", [op])) for op in ("add", "sub")}
    for op, found in effects.items():
        for seed in found.seeds:
            seed[0], seed[1] = 0.0, {"add": 4.0, "sub": 8.0}[op]
    table = fig02.tabulate_localization(effects)
    assert (table["mean"] == 3.0).all()
    draws = [(a + s) / 2 for a in (0, 2, 2, 4) for s in (0, 4, 4, 8)]
    low, high = np.quantile(np.repeat(draws, 100), [0.025, 0.975])
    assert (table["low"] == low).all()
    assert (table["high"] == high).all()


def test_a_sign_is_that_of_a_clean_prompt_under_all_seeds(study):
    """All 16 ways to flip the signs of four prompts, and Benjamini-Hochberg by sorting."""
    effects = {op: fig02.read_effects(study("effects", [op])) for op in ("add", "sub")}
    rng = np.random.default_rng(0)
    for found in effects.values():
        for seed in found.log_odds:
            seed[...] = rng.normal(0.5, 1.0, size=seed.shape)
    table = fig02.tabulate_localization(effects)
    prompts = [np.mean(found.log_odds, axis=0) for found in effects.values()]
    p = []
    for cell in np.concatenate(prompts).reshape(4, -1).T:
        sums = [abs(np.dot(signs, cell)) for signs in product((-1, 1), repeat=4)]
        p.append(np.mean(np.array(sums) >= abs(cell.sum()) - 1e-9))
    assert table["p"].to_numpy() == pytest.approx(p)
    assert table["log_odds"].to_numpy() == pytest.approx(np.concatenate(prompts).mean(0).ravel())
    ranked = sorted(p)
    for row in table.to_dict("records"):
        reached = [x * len(p) / (n + 1) for n, x in enumerate(ranked) if x >= row["p"] - 1e-12]
        assert row["q"] == pytest.approx(min(reached))


def test_cells_that_could_be_nothing_are_crossed_out(study):
    drawn = fig02.make({"effects": study("effects")}, OPERATORS, {"dpi": 60})
    table = drawn.table.assign(q=1.0)
    table.loc[(table["component"] == "mlp") & (table["layer"] > 0), "q"] = 0.04
    figure = fig02.draw_localization(table)
    crosses = [len(axes.collections[0].get_offsets()) for axes in figure.axes[:2]]
    assert crosses == [3 * 2, 4]
    certain = fig02.draw_localization(table.assign(q=0.05))
    assert not any(axes.collections for axes in certain.axes[:2])


def test_means_of_minus_one_are_clipped_and_said(study, words_of):
    effects = fig02.read_effects(study("effects", ["add"]))
    effects.seeds[0][:] = effects.seeds[1][:] = -1.0
    table = fig02.tabulate_localization({"add": effects})
    assert np.isfinite(table["log1p"]).all()
    assert "36 means below -0.999" in words_of(fig02.Drawn(fig02.draw_localization(table), table))


def test_heads_not_patched_at_the_last_position(study, words_of):
    table = fig02.tabulate_localization({"add": fig02.read_effects(study("effects", ["add"]))})
    table = table[table["position"] != "equals"]
    assert "not patched" in words_of(fig02.Drawn(fig02.draw_localization(table), table))


# fig04a


def test_neuron_effects_of_the_layer_that_matters_most(study, write):
    drawn = fig04a.make(
        {"attribution": study("attribution")}, OPERATORS, {"dpi": 60, "neurons": NEURONS}
    )
    table = drawn.table
    # layer 2: (2 + n) / 2 but 0 at the NaN; layer 1: (1 + n) / 2, which sums to less
    assert set(table["layer"]) == {2}
    add = table[table["operator"] == "add"].set_index("neuron")
    assert add.loc[[0, 1, 9], "mean_effect"].tolist() == [0.0, 1.5, 5.5]
    # of two prompts with the effects 2 and n, resampled
    assert add.loc[[0, 1, 9], "low"].tolist() == [0.0, 1.0, 2.0]
    assert add.loc[[0, 1, 9], "high"].tolist() == [0.0, 2.0, 9.0]
    assert add.index[add["labelled"]].tolist() == [7, 8, 9]
    assert sorted(set(table["operator"])) == ["add", "sub"]
    write(drawn)


def test_auto_takes_the_layer_from_the_probes(study, tmp_path):
    # readable from layer 0 on: all layers count, where half of them would leave layer 0 out
    cells = {"variant": "answer", "position": "equals", "layer": [0, 1, 2]}
    store.write_table(tmp_path / "probes.csv", pd.DataFrame(cells | {"accuracy": [0.9, 0.1, 0.1]}))
    auto = NEURONS | {"first_heuristics_layer": "auto", "readable_accuracy": 0.5}
    inputs = {"attribution": study("attribution"), "probes": [str(tmp_path / "probes.csv")]}
    settings = fig04a.resolve_first_layer(auto, [store.read_table(tmp_path / "probes.csv")])
    path = study("attribution", ["add"])[0]
    assert list(fig04a.layer_importance(path, settings)) == [0, 1, 2]
    drawn = fig04a.make(inputs, OPERATORS, {"dpi": 60, "neurons": auto})
    assert set(drawn.table["layer"]) == {2}


# fig05


def test_the_best_neuron_of_each_type(study, write, words_of):
    inputs = {"maps": study("maps"), "matches": study("matches")}
    drawn = fig05.make(inputs, OPERATORS, KIND)
    assert words_of(drawn).count("no neuron matches") == 3
    panels = drawn.table[drawn.table["a"].isna()].set_index("type")
    assert panels.index.tolist() == list(fig05.TYPE_TITLES)
    found = panels["heuristic"].dropna()
    assert found.to_dict() == {
        "range": "op1_range_5_15", "modulo": "result_mod_2_0", "same_operands": "pair_same",
    }  # fmt: skip
    assert panels.loc["range", ["operator", "layer", "neuron"]].tolist() == ["add", 1, 5]
    cells = drawn.table[(drawn.table["type"] == "modulo") & drawn.table["a"].notna()]
    assert len(cells) == 100
    expected = np.where((cells["a"] + cells["b"]) % 2 == 0, 1.0, -1.0)  # the KV map
    assert np.array_equal(cells["value"].to_numpy(), expected)
    write(drawn)


# fig01


def _example(study, **settings):
    inputs = {name: study(name) for name in ("evaluation", "maps", "neurons", "matches")}
    return fig01.make(inputs, OPERATORS, {**KIND, "example_prompt": None, **settings})


def test_three_neurons_of_three_types_answer_the_example(study, write, words_of):
    drawn = _example(study, example_prompt={"operator": "add", "a": 8, "b": 8})
    panels = drawn.table[drawn.table["a"].isna()]
    assert panels["heuristic"].tolist() == ["op1_range_5_15", "pair_same", "result_mod_2_0"]
    assert panels["importance"].tolist() == [0.9, 0.6, 0.4]
    assert panels["activation"].tolist() == [1.0, -1.0, 1.0]
    # a negative activation promotes what the value vector suppresses
    assert panels["promoted"].tolist() == ["0 1 2 3 4", "29 28 27 26 25", "0 2 4 6 8"]
    assert panels["answer_logit"].tolist() == [-16.0, -16.0, 1.0]
    assert "8 + 8 = 16" in words_of(drawn)
    write(drawn)


def test_neurons_whose_heuristic_the_prompt_does_not_satisfy_are_left_out(study):
    table = _example(study, example_prompt={"operator": "add", "a": 7, "b": 8}).table
    assert table["heuristic"].dropna().tolist() == ["op1_range_5_15"]


def test_without_a_setting_the_first_evaluation_prompt_is_taken(study):
    table = _example(study).table
    assert table.loc[0, ["operator", "prompt_a", "prompt_b"]].tolist() == ["add", 0, 0]


def test_the_papers_example_is_taken_when_it_is_there():
    papers = pd.DataFrame({"operator": "sub", "a": [1, 226], "b": [1, 68], "answer": [0, 158]})
    chosen = fig01.choose_prompt({"add": papers.iloc[:1], "sub": papers}, None)
    assert chosen["answer"].tolist() == [158]


def test_a_prompt_without_neurons_is_said(study, words_of):
    drawn = _example(study, example_prompt={"operator": "sub", "a": 2, "b": 1})
    assert "no neuron matches a heuristic this prompt satisfies" in words_of(drawn)
    assert len(drawn.table) == 1


# fig06


def test_steps_of_the_matching(study, write):
    inputs = {"maps": study("maps"), "matches": study("matches")}
    drawn = fig06.make(inputs, OPERATORS, {**KIND, "threshold": 0.6})
    table = drawn.table.set_index("panel")
    match = table.loc["match"]
    assert match["heuristic"] == "result_mod_2_0"  # the best one on a KV map
    assert (match["n_top"], match["n_overlap"], match["threshold"]) == (50, 50, 0.6)
    assert table.loc["members", "value"].sum() == table.loc["overlap", "value"].sum() == 50
    assert table.loc["K", "value"].tolist() == [1.0] * 100
    assert table.loc["value_logits", "value"].tolist() == [1.0, -1.0] * 15
    write(drawn)


def test_an_operand_match_serves_when_there_is_no_other(study):
    matches = fig06.read_matches(study("matches", ["sub"])[0], "hybrid").assign(operator="sub")
    match = fig06.choose_match([matches])
    assert match is not None
    assert match["heuristic"] == "op1_range_5_15"
    assert fig06.choose_match([matches.iloc[:0]]) is None


def test_rare_heuristics_serve_only_when_there_is_no_other():
    columns = {
        "layer": 1,
        "neuron": [1, 2, 3, 1],
        "map": "KV",
        "type": ["range"] * 2 + ["value"] * 2,
    }
    numbers = {"corrected_score": [1.0, 0.7, 0.9, 0.95], "base_rate": [0.001, 0.1, 0.1, 0.1]}
    names = ["rare", "common", "one value", "not its best"]
    matches = pd.DataFrame({**columns, **numbers, "heuristic": names})
    assert fig06.choose_match([matches])["heuristic"] == "common"
    assert fig06.choose_match([matches.iloc[:1]])["heuristic"] == "rare"


def test_top_prompts_of_both_ends():
    values = np.array([3.0, -1.0, 2.0])
    assert fig06.top_prompts(values, 2, "top").tolist() == [True, False, True]
    assert fig06.top_prompts(values, 1, "bottom").tolist() == [False, True, False]


# fig15


def test_overlap_in_percent(study, write, words_of):
    drawn = fig15.make({"neurons": study("neurons")}, OPERATORS, {"dpi": 60})
    table = drawn.table.set_index(["operator_1", "operator_2"])
    assert table.loc[("add", "sub"), "iou"] == 0.5  # {5, 4} of {5, 7, 3, 4}
    assert table.loc[("add", "div"), "iou"] == 0.0
    assert np.isnan(table.loc[("div", "div"), "iou"])
    assert table.loc[("add", "sub"), ["neurons_1", "neurons_2"]].tolist() == [4, 2]
    assert "50 %" in words_of(drawn)
    assert "no\nneurons" in words_of(drawn)
    write(drawn)


# heuristic counts


def test_a_neuron_counts_once_in_each_type(study, write, words_of):
    inputs = {"neurons": study("neurons"), "matches": study("matches")}
    drawn = counts.make(inputs, OPERATORS, KIND)
    table = drawn.table.set_index(["operator", "type", "layer"])["neurons"]
    assert table["add", "range", 1] == 1  # two ranges, one neuron
    assert table["add", "modulo", 1] == 1
    assert table["add", "same_operands", 2] == 1
    assert table["add", "any", 1] == 2
    assert table["add", "any", 2] == 1
    assert table["sub", "any", 2] == 0
    text = words_of(drawn)
    assert "3 of 4 match: 75 %" in text
    assert "1 of 2 match: 50 %" in text
    assert "no correct prompts" in text
    write(drawn)
