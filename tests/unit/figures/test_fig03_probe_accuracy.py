"""Figure 3 from small probe tables: its numbers recomputed by other means."""

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig03_probe_accuracy as fig03
from pipeline_lib import store
from pipeline_lib.probing.answers import COLUMNS

OPERATORS = ["add", "sub", "div"]
RIGHT = {"add": 90, "sub": 30}
N_TEST = {"add": 100, "sub": 50}


def _probes(operator: str, n_layers: int = 2) -> pd.DataFrame:
    """Accuracy .9 (add) and .6 (sub) at "=" of the last layer, .1 elsewhere and in the controls."""
    rows = []
    for variant in ("answer", "shuffled", "held_out"):
        for layer in range(n_layers if operator in RIGHT else 0):
            for position in ("operand2", "equals"):
                found = variant == "answer" and (layer, position) == (n_layers - 1, "equals")
                share = RIGHT[operator] / N_TEST[operator] if found else 0.1
                rows.append([operator, layer, position, variant, share, 0.0, 1.0, 0.05, 400,
                             N_TEST[operator]])  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def draw(tmp_path):
    """Draws the figure from one table an operator."""

    def drawn(tables: list[pd.DataFrame]) -> fig03.Drawn:
        files = []
        for i, table in enumerate(tables):
            files.append(str(tmp_path / f"{i}.csv"))
            store.write_table(files[-1], table)
        return fig03.make({"probes": files}, OPERATORS, {"dpi": 60})

    return drawn


def test_mean_over_operators_with_prompts_and_its_controls(draw, write, words_of):
    drawn = draw([_probes(operator) for operator in OPERATORS])
    cells = drawn.table.set_index(["variant", "position", "layer"])
    top = cells.loc[("answer", "equals", 1)]
    assert top["mean"] == pytest.approx((0.9 + 0.6) / 2)
    assert (top["n_operators"], top["n_test"]) == (2, 150)
    assert top["chance"] == pytest.approx(0.05)
    assert cells.loc[("shuffled", "equals", 1), "mean"] == pytest.approx(0.1)
    assert cells.loc[("selectivity", "equals", 1), "mean"] == pytest.approx(0.65)
    assert cells.loc[("selectivity", "operand2", 0), "mean"] == pytest.approx(0.0)
    assert len(drawn.table) == 4 * 2 * 2
    images = [axes.images[0].get_array() for axes in drawn.figure.axes[:3]]
    np.testing.assert_allclose(images[0], [[0.1, 0.1], [0.1, 0.75]])
    np.testing.assert_allclose(images[1], 0.1)
    half = (top["high"] - top["low"]) / 2
    assert f"0.75\n±{half:.2f}" in words_of(drawn)
    write(drawn)


def test_intervals_are_those_of_resampled_prompts(draw):
    cells = draw([_probes(operator) for operator in OPERATORS]).table
    cells = cells.set_index(["variant", "position", "layer"])
    rng = np.random.default_rng(5)
    answer, control = [], []
    for operator, n in N_TEST.items():
        right, wrong = np.arange(n) < RIGHT[operator], np.arange(n) < n // 10
        answer.append(right[rng.integers(0, n, (20_000, n))].mean(1))
        control.append(wrong[rng.integers(0, n, (20_000, n))].mean(1))
    means = np.mean(answer, axis=0)
    for variant, resampled in (("answer", means), ("selectivity", means - np.mean(control, 0))):
        expected = np.quantile(resampled, [0.025, 0.975])
        found = cells.loc[(variant, "equals", 1), ["low", "high"]].astype(float)
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_no_prompts_anywhere_are_said(draw, write, words_of):
    drawn = draw([_probes("div")])
    assert "no operator has" in words_of(drawn)
    assert list(drawn.table.columns) == fig03.COLUMNS
    write(drawn)


def test_a_variant_without_test_prompts_is_said(draw, write, words_of):
    probes = _probes("add")
    drawn = draw([probes[probes["variant"] != "held_out"]])
    assert "no prompts to test" in words_of(drawn)
    write(drawn)


def test_many_layers_have_no_numbers_in_cells(draw, write, words_of):
    drawn = draw([_probes("add", n_layers=32)])
    assert "±" not in words_of(drawn)
    write(drawn)


def test_the_same_tables_give_the_same_bytes(draw, write):
    files = [write(draw([_probes("add"), _probes("sub")])) for _ in range(2)]
    assert files[0] == files[1]
