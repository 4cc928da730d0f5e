"""Numbers of figures 4b, 11, 12 and of table 1, from tables written by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig04a_neuron_effects as fig04a
import pipeline_lib.figures.fig04b_faithfulness_topk as fig04b
import pipeline_lib.figures.fig11_faithfulness_heads as fig11
import pipeline_lib.figures.fig12a_mlp0_effects as fig12a
import pipeline_lib.figures.fig12b_mlp0_topk as fig12b
import pipeline_lib.figures.fig_circuit_test as fig_circuit_test
import pipeline_lib.figures.table01_faithfulness as table01
from pipeline_lib import store

OPERATORS = ["add", "sub", "div"]
SIZES = {"heads": [0, 1, 4], "circuit": [4], "neurons": [0, 1, 10, 40], "mlp0": [0, 2, 40]}
# faithfulness of the prompts at each size; of the third it is undefined
GROWTH = {
    "heads": [[0.0, 0.5, 1.0], [-0.2, 0.7, 0.8], [np.nan] * 3],
    "circuit": [[1.0], [0.8], [np.nan]],
    "neurons": [[0.1, 0.2, 0.6, 1.0], [0.3, 0.4, 0.8, 0.8], [np.nan] * 4],
    "mlp0": [[0.0, 0.5, 0.9], [0.2, 0.1, 0.7], [np.nan] * 3],
}
NONE, MODEL = [0.0, 0.5, 1.0], [1.0, 1.0, 1.0]


def measured(seeds=(42, 412)):
    """Rows of three prompts that both seeds drew."""
    rows = []
    for curve, prompts in GROWTH.items():
        for place, faithful in enumerate(prompts):
            none, model = NONE[place], MODEL[place]
            for size, f in zip(SIZES[curve], faithful, strict=True):
                nl = 0.9 if np.isnan(f) else none + f * (model - none)
                row = {
                    "operator": "add", "a": 5 + place, "b": 1, "answer": 6 + place, "curve": curve,
                    "size": size, "nl": nl, "nl_none": none, "nl_model": model, "faithfulness": f,
                    "kl": 0.1 * place, "correct": place != 1,
                }  # fmt: skip
                rows += [row | {"seed": seed} for seed in seeds]
    return pd.DataFrame(rows)


@pytest.fixture
def inputs(tmp_path):
    """Files of add (as above), sub (one prompt) and div (no prompts)."""
    table = measured()
    one = table[table["a"] == 5].assign(operator="sub")
    for operator, rows in (("add", table), ("sub", one), ("div", table.iloc[:0])):
        store.write_table(tmp_path / f"{operator}.csv", rows)
        store.write_table(tmp_path / f"{operator}_tests.csv", circuit_test(len(rows) > 0))
    names = {"faithfulness": "{}.csv", "tests": "{}_tests.csv"}
    return {
        key: [str(tmp_path / name.format(operator)) for operator in OPERATORS]
        for key, name in names.items()
    }


def circuit_test(is_filled):
    """A circuit better than three of four random sets, and than both that exist layer by layer."""
    table = pd.DataFrame(
        {
            "kind": ["circuit", *["any"] * 4, *["layer"] * 2],
            "set": [0, 0, 1, 2, 3, 0, 1],
            "n_possible": [1, *[10**25] * 4, 2, 2],
            "faithfulness": [0.9, 0.1, 0.2, 0.95, 0.3, 0.9, 0.5],
            "low": 0.0,
            "high": 1.0,
            "ratio_of_means": 0.5,
            "kl": [0.2, 1.0, 1.0, 1.0, 1.0, 0.2, 0.1],
            "accuracy": 0.5,
            "n_prompts": 3,
            "n_undefined": 1,
        }
    )
    return table if is_filled else table.iloc[:0]


@pytest.mark.parametrize(
    ("module", "curve", "largest"), [(fig04b, "neurons", 40), (fig12b, "mlp0", 40)]
)
def test_mean_over_prompts_with_a_defined_faithfulness(module, curve, largest, inputs, write):
    drawn = module.make(inputs, OPERATORS, {})
    table = drawn.table.set_index(["operator", "size"])
    expected = np.mean(GROWTH[curve][:2], axis=0)
    assert table.loc["add", "faithfulness"].to_numpy() == pytest.approx(expected)
    assert table.loc["sub", "faithfulness"].to_numpy() == pytest.approx(GROWTH[curve][0])
    assert table.loc["add", "percent"].tolist() == [100 * size / largest for size in SIZES[curve]]
    # three prompts, each once although two seeds drew it
    assert set(table.loc["add", "n_prompts"]) == {3}
    assert set(table.loc["add", "n_undefined"]) == {1}
    assert set(drawn.table["operator"]) == {"add", "sub"}
    assert (table["low"] <= table["faithfulness"] + 1e-12).all()
    assert (table["high"] >= table["faithfulness"] - 1e-12).all()
    # two prompts: a resample may hold one of them twice
    low, high = (np.min(GROWTH[curve][:2], axis=0), np.max(GROWTH[curve][:2], axis=0))
    assert table.loc["add", "low"].to_numpy() == pytest.approx(low)
    assert table.loc["add", "high"].to_numpy() == pytest.approx(high)
    write(drawn)


def test_other_columns_have_all_prompts(inputs):
    table = fig04b.make(inputs, OPERATORS, {}).table.set_index(["operator", "size"])
    assert table.loc[("add", 10), "kl"] == pytest.approx(0.1)
    assert table.loc[("add", 10), "accuracy"] == pytest.approx(2 / 3)
    # nl .6, .9, .9 of nothing 0, .5, 1 and the model 1, 1, 1
    assert table.loc[("add", 10), "ratio_of_means"] == pytest.approx((0.8 - 0.5) / (1 - 0.5))


def test_size_zero_has_a_place_on_the_logarithmic_axis(inputs, words_of):
    drawn = fig04b.make(inputs, OPERATORS, {})
    axes = drawn.figure.axes[0]
    ticks = dict(zip(axes.get_xticks(), axes.get_xticklabels(), strict=True))
    left = min(ticks)
    assert 0 < left < 100 / 40
    drawn.figure.draw_without_rendering()
    assert ticks[left].get_text() == "0"
    points = [line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 1]
    assert [point.tolist() for point in points] == [
        [[left, pytest.approx(0.2)]], [[left, pytest.approx(0.1)]],
    ]  # fmt: skip
    assert "division (no prompts)" in words_of(drawn)


def test_heads_with_the_circuit_marked(inputs, write, words_of):
    drawn = fig11.make(inputs, OPERATORS, {})
    table = drawn.table.set_index(["operator", "size"])
    assert table.loc["add", "faithfulness"].to_numpy() == pytest.approx([-0.1, 0.6, 0.9])
    rings = [line.get_xydata()[0].tolist() for line in drawn.figure.axes[0].lines[-2:]]
    assert rings == [[4, pytest.approx(0.9)], [4, 1.0]]
    assert "circuit of table 1" in words_of(drawn)
    write(drawn)


def test_table_of_circuits_with_areas_of_the_curve_over_heads(inputs, write, words_of):
    drawn = table01.make(inputs, OPERATORS, {})
    table = drawn.table.set_index("operator")
    assert table.loc["add", ["size", "n_prompts", "n_undefined"]].tolist() == [4, 3, 1]
    assert table.loc["add", "faithfulness"] == pytest.approx(0.9)
    # mean curve -.1, .6, .9 at x = 0, .25, 1
    assert table.loc["add", "cpr"] == pytest.approx(0.25 * 0.25 + 0.75 * 0.75)
    assert table.loc["add", "cmd"] == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)
    assert table.loc["add", "cpr_low"] <= table.loc["add", "cpr"] <= table.loc["add", "cpr_high"]
    assert table.loc["sub", ["cpr_low", "cpr_high"]].tolist() == pytest.approx([0.625, 0.625])
    words = " ".join(words_of(drawn).split())  # wide cells are wrapped
    assert "0.90 [0.80, 1.00]" in words
    # one of four drawn is better; the circuit is the better of the two that exist
    assert table.loc["add", ["p_any", "p_layer"]].tolist() == [2 / 5, 0.5]
    assert table.loc["add", ["p_kl_any", "p_kl_layer"]].tolist() == [1 / 5, 1.0]
    assert "0.400 0.500 3 1" in words
    write(drawn)


def test_circuits_among_random_sets(inputs, write, words_of):
    drawn = fig_circuit_test.make(inputs, OPERATORS, {})
    table = drawn.table.set_index(["operator", "kind"])
    assert len(table.loc[("add", "any")]) == 4
    assert set(table.loc[("add", "any"), "p"]) == {2 / 5}
    assert set(table.loc[("sub", "layer"), "p"]) == {0.5}
    assert set(table.loc[("add", "layer"), "p_kl"]) == {1.0}
    assert "div" not in table.index
    words = words_of(drawn)
    assert "4 of about $10^{25}$, p = 0.400" in words
    assert "2 of 2, p = 0.500" in words
    assert "no evaluation prompts" in words
    axes = drawn.figure.axes[0]
    assert sorted(x for x, _ in axes.collections[1].get_offsets().tolist()) == [0.1, 0.2, 0.3, 0.95]
    assert axes.lines[0].get_xdata()[0] == 0.9
    write(drawn)


def test_a_circuit_of_an_undefined_faithfulness_is_not_tested(inputs, words_of):
    table = circuit_test(is_filled=True).assign(faithfulness=np.nan, low=np.nan, high=np.nan)
    store.write_table(inputs["tests"][0], table)
    drawn = fig_circuit_test.make({"tests": inputs["tests"][:1]}, OPERATORS[:1], {})
    assert drawn.table["p"].isna().all()
    assert "no evaluation prompts" in words_of(drawn)


def test_an_operator_without_any_defined_faithfulness(inputs, write, words_of):
    table = measured()
    store.write_table(inputs["faithfulness"][0], table[table["a"] == 7])
    drawn = table01.make(inputs, OPERATORS, {})
    add = drawn.table.set_index("operator").loc["add"]
    assert np.isnan(add[["faithfulness", "low", "cpr", "cmd_high"]].astype(float)).all()
    assert "–" in words_of(drawn)
    write(drawn)
    write(fig11.make(inputs, OPERATORS, {}))


def test_seeds_of_the_same_prompts_are_drawn_as_such(tmp_path):
    """Effects that only the seed decides: four seeds of ten prompts, not forty prompts."""
    rng = np.random.default_rng(0)
    seeds = rng.normal(size=(4, 1, 3))
    effects = np.broadcast_to(seeds, (4, 10, 3)).reshape(40, 3)
    found = fig04a.mean_rows("add", 0, effects, 4, "fig04a")
    every = [seeds[list(drawn), 0].mean(axis=0) for drawn in product(range(4), repeat=4)]
    for name, end in (("low", 0.025), ("high", 0.975)):
        expected = np.quantile(every, end, axis=0)
        assert found[name].to_numpy() == pytest.approx(expected, abs=0.12)
    assert set(found["n_prompts"]) == {10}


def test_effects_of_the_first_mlp_are_averaged_over_the_positions_before_the_last(study, write):
    drawn = fig12a.make({"attribution": study("attribution")}, OPERATORS, {})
    add = drawn.table[drawn.table["operator"] == "add"].set_index("neuron")
    # of two prompts with the effects n and 3 n, resampled
    assert add["mean_effect"].tolist() == [2.0 * n for n in range(10)]
    assert add["low"].tolist() == [1.0 * n for n in range(10)]
    assert add["high"].tolist() == [3.0 * n for n in range(10)]
    assert set(add["layer"]) == {0}
    assert add.index[add["labelled"]].tolist() == [7, 8, 9]
    assert sorted(set(drawn.table["operator"])) == ["add", "sub"]
    write(drawn)
