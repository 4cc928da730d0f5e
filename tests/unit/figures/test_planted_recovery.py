"""The figure of planted networks: its numbers from the counts, and what it says without any."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures.planted_recovery import COLUMNS, READ, make

OPERATORS = ["add", "div"]
CELLS = [(0.0, 0.0), (1.0, 0.0), (0.0, 0.5)]


@pytest.fixture
def counts(tmp_path):
    """Three networks on disk: random counts of every operator, rule and thing looked for."""
    rng, files = np.random.default_rng(5), []
    for noise, superposition in CELLS:
        rows = []
        for operator in ("add", "sub", "div"):
            named = [("patching", "localization"), ("attribution", "attribution")]
            named += [(r, w) for r in ("authors", "fdr") for w in ("detection", "classification")]
            for rule, what in named:
                planted, found = rng.integers(5, 40, size=2)
                right = rng.integers(min(planted, found) + 1)
                rows.append(
                    (operator, noise, superposition, rule, what, 0.1, 99, planted, found, right)
                )
        table = pd.DataFrame(rows, columns=READ)
        files.append(str(tmp_path / f"{noise}_{superposition}.csv"))
        store.write_table(files[-1], table)
    return files


def test_the_table_has_precision_and_recall_of_the_operators_together(counts):
    drawn = make({"recovery": counts}, OPERATORS, {})
    assert list(drawn.table.columns) == COLUMNS
    assert list(drawn.table.columns[:6]) == [
        "noise", "superposition", "rule", "what", "precision", "recall",
    ]  # fmt: skip
    everything = pd.concat([store.read_table(path) for path in counts])
    assert len(drawn.table) == len(CELLS) * 6
    for row in drawn.table.itertuples():
        same = everything[
            (everything["noise"] == row.noise)
            & (everything["superposition"] == row.superposition)
            & (everything["rule"] == row.rule)
            & (everything["what"] == row.what)
            & everything["operator"].isin(OPERATORS)
        ]
        right = same["n_right"].sum()
        assert row.precision == pytest.approx(right / same["n_found"].sum())
        assert row.recall == pytest.approx(right / same["n_planted"].sum())
        assert row.recall_low <= row.recall <= row.recall_high


def test_every_line_of_the_figure_is_in_the_table(counts):
    drawn = make({"recovery": counts}, OPERATORS, {})
    panels = {axes.get_title(): axes for axes in drawn.figure.axes[:4]}
    assert list(panels) == ["localization", "attribution", "detection", "classification"]
    lines = panels["detection"].get_lines()
    assert len(lines) == 4  # two rules, precision and recall
    shown = drawn.table[(drawn.table["what"] == "detection") & (drawn.table["superposition"] == 0)]
    first = shown[shown["rule"] == "authors"].sort_values("noise")
    np.testing.assert_allclose(lines[0].get_ydata(), first["precision"])
    np.testing.assert_allclose(lines[1].get_ydata(), first["recall"])


def test_one_network_alone_is_drawn(counts):
    drawn = make({"recovery": counts[0]}, OPERATORS, {})
    assert len(drawn.table) == 6


def test_without_counts_it_says_so(tmp_path):
    path = tmp_path / "empty.csv"
    store.write_table(path, pd.DataFrame(columns=READ))
    drawn = make({"recovery": str(path)}, OPERATORS, {})
    assert drawn.table.empty
    assert "no network" in drawn.figure.axes[0].texts[0].get_text()
