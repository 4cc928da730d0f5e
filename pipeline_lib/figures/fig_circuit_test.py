"""Circuits against random sets of as many heads: faithfulness of each set, and a p-value."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from pipeline_lib.figures.circuit_tests import CIRCUIT, NULLS, SET_COLUMNS, p_values, read_tests
from pipeline_lib.figures.style import (
    NEUTRAL,
    OPERATOR_COLOURS,
    SMALL,
    Drawn,
    message_figure,
    operator_panels,
    say,
    style,
)
from pipeline_lib.rng import generator

COLUMNS = ["operator", *SET_COLUMNS, "p", "p_kl"]
NOTHING = "no operator has evaluation prompts:\nno circuit was tested"
SEED = 0
SPREAD = 0.22
"""Points of one kind of sets are moved up or down by at most this, to be told apart."""


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the circuit tests of every operator."""
    tests = read_tests(inputs, operators)
    parts = [tabulate_sets(op, table) for op, table in tests.items()]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_sets(table, operators), table)


def tabulate_sets(operator: str, tests: pd.DataFrame) -> pd.DataFrame:
    """One operator's sets, each with the p-values of the circuit among those of its kind."""
    found = p_values(tests)
    p = {null: (found[f"p_{null}"], found[f"p_kl_{null}"]) for null in NULLS}
    pairs = [p.get(kind, (np.nan, np.nan)) for kind in tests["kind"]]
    values = np.array(pairs, dtype=np.float64).reshape(len(tests), 2)
    return tests.assign(operator=operator, p=values[:, 0], p_kl=values[:, 1])[COLUMNS]


def draw_sets(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Faithfulness of every set, a row a null, the circuit's as a line; a panel an operator."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure, panels = operator_panels(operators, 2.5)
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows["faithfulness"].isna().all():
                say(axes, "no evaluation prompts")
                continue
            _draw(axes, operator, rows)
        _legend(figure)
        return figure


def _draw(axes: Axes, operator: str, rows: pd.DataFrame) -> None:
    colour = OPERATOR_COLOURS[operator]
    rng = generator(SEED, "circuit_test", operator)
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for place, (null, name) in enumerate(reversed(NULLS.items())):
        sets = rows[rows["kind"] == null]
        height = place + rng.uniform(-SPREAD, SPREAD, size=len(sets))
        axes.scatter(sets["faithfulness"], height, s=4, color=NEUTRAL, alpha=0.5, linewidths=0)
        p, count = float(sets["p"].iloc[0]), float(sets["n_possible"].iloc[0])
        words = f"{name}\n{len(sets):,} of {possible(count)}, p = {p:.3f}"
        text = axes.text(0.0, place + SPREAD + 0.06, words, transform=beside, fontsize=SMALL)
        text.set(verticalalignment="bottom", in_layout=False, linespacing=1.2)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5})
    circuit = rows[rows["kind"] == CIRCUIT].iloc[0]
    axes.axvspan(circuit["low"], circuit["high"], color=colour, alpha=0.25, linewidth=0)
    axes.axvline(circuit["faithfulness"], color=colour, linewidth=1.2)
    axes.set(ylim=(-0.4, len(NULLS) - 0.25), xlabel="faithfulness")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def possible(count: float) -> str:
    """How many sets there can be, in few characters."""
    return f"{count:,.0f}" if count < 1e6 else f"about $10^{{{np.floor(np.log10(count)):.0f}}}$"


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=NEUTRAL, marker="o", linestyle="", alpha=0.5),
        Line2D([], [], color="black", linewidth=1.4),
    ]
    names = ["random sets of as many heads", "the circuit"]
    figure.legend(handles, names, ncols=2, loc="outside upper center")
