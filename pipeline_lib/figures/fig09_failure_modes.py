"""Figure 9: what associated neurons add, on right and on wrong answers (definitions 9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    COLUMN,
    NEUTRAL,
    OPERATOR_COLOURS,
    PAGE,
    SMALL,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.measures.failures import (
    COLUMNS,
    LABELS,
    QUANTITIES,
    TEST_COLUMNS,
    compare_failures,
)
from pipeline_lib.rng import generator

AXIS_LABELS = {"logit": "logits added to\nthe right answer", "n_neurons": "associated\nneurons"}
NO_NEURON = "no neuron matches a\nheuristic of the prompts"
TEST_SEED = 0
JITTER = 0.16


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the failure tables of every operator."""
    files = one_per_operator(inputs, "failures", operators)
    prompts = {op: store.read_table(path, COLUMNS) for op, path in files.items()}
    table = tabulate(prompts)
    return Drawn(draw_failures(table, operators), table)


def tabulate(prompts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Two rows an operator (means and the test of each quantity), then the prompts' rows."""
    tests = [
        compare_failures(table, generator(TEST_SEED, "fig09", op)).assign(operator=op)
        for op, table in prompts.items()
    ]
    rows = pd.concat([*tests, *prompts.values()], ignore_index=True)
    columns = ["operator", *TEST_COLUMNS, *COLUMNS[1:]]
    integers = ["n_correct", "n_incorrect", *COLUMNS[1:5], "n_neurons"]
    return rows[columns].astype(dict.fromkeys(integers, "Int64"))


def draw_failures(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """A box and all prompts of each group; rows: the two quantities, columns: operators."""
    prompts, tests = table[table["quantity"].isna()], table[table["quantity"].notna()]
    with style():
        if prompts.empty:
            return message_figure("no operator has prompts answered with a number")
        width = PAGE if len(operators) > 1 else COLUMN
        figure = new_figure(width, 3.4)
        grid = figure.subplots(len(QUANTITIES), len(operators), squeeze=False)
        for column, operator in enumerate(operators):
            grid[0, column].set_title(operator_title(operator))
            mine = prompts[prompts["operator"] == operator]
            for axes, quantity in zip(grid[:, column], QUANTITIES, strict=True):
                if mine.empty or not mine["n_neurons"].any():
                    asked = "no prompts answered\nwith a number" if mine.empty else NO_NEURON
                    say(axes, asked)
                    continue
                same = (tests["operator"] == operator) & (tests["quantity"] == quantity)
                _panel(axes, mine, tests[same].iloc[0], OPERATOR_COLOURS[operator])
        for line, quantity in zip(grid, QUANTITIES, strict=True):
            labelled = next((axes for axes in line if axes.axison), None)
            if labelled is not None:
                labelled.set_ylabel(AXIS_LABELS[quantity])
        return figure


def _panel(axes: Axes, prompts: pd.DataFrame, test: pd.Series, colour: str) -> None:
    quantity = test["quantity"]
    for place, label in enumerate(LABELS):
        values = prompts.loc[prompts["label"] == label, quantity].to_numpy(dtype=np.float64)
        if not len(values):
            axes.text(
                place, 0.5, f"no {label}\nprompts", transform=axes.get_xaxis_transform(),
                ha="center", va="center", fontsize=SMALL, color=NEUTRAL,
            )  # fmt: skip
            continue
        _group(axes, place, values, colour if label == "correct" else NEUTRAL)
    counts = [int(test[f"n_{label}"]) for label in LABELS]
    names = [f"{label}\n(n = {n})" for label, n in zip(LABELS, counts, strict=True)]
    axes.set_xticks([0, 1], names)
    axes.set_xlim(-0.5, 1.5)
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=quantity == "n_neurons"))
    if np.isfinite(test["p_value"]):
        axes.set_title(f"{axes.get_title()}\n{_said(float(test['p_value']))}".strip())


def _group(axes: Axes, place: int, values: np.ndarray, colour: str) -> None:
    """Box of quartiles, whiskers to 1.5 ranges, and every prompt, spread so that it is seen."""
    lines = {"color": "black", "linewidth": 0.7}
    axes.boxplot(
        values, positions=[place], widths=0.55, showfliers=False, manage_ticks=False,
        boxprops=lines, whiskerprops=lines, capprops=lines, medianprops=lines | {"linewidth": 1.2},
    )  # fmt: skip
    # evenly spread in a fixed order: no randomness in a drawing
    shift = JITTER * (2 * np.modf(np.arange(len(values)) * 0.6180339887)[0] - 1)
    axes.plot(place + shift, values, "o", color=colour, markersize=2, alpha=0.6, markeredgewidth=0)


def _said(p_value: float) -> str:
    return f"p = {p_value:.2g}" if p_value >= 0.001 else "p < 0.001"
