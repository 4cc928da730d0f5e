"""Figure 8: accuracy against the neurons silenced per layer (definitions 8)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    COLUMN,
    NEUTRAL,
    OPERATOR_COLOURS,
    OPERATOR_MARKERS,
    OPERATOR_TITLES,
    Drawn,
    accuracy_limits,
    message_figure,
    new_figure,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

READ = ["condition", "limit", "n_neurons", "correct"]
COLUMNS = [
    "operator", "condition", "limit", "accuracy", "low", "high", "n_prompts", "mean_neurons",
    "drawn",
]  # fmt: skip
LINES: dict[str, Literal["-", "--", ":"]] = {"heuristic": "-", "control": "--", "matched": ":"}
LINE_NAMES = ["neurons of its heuristics", "control: other top neurons", "random, of like norm"]
BOOTSTRAP_SEED = 0
MIN_CONTROL = 0.9
NOTHING = "no operator has evaluation prompts:\nnothing was knocked out"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the knockouts by prompt of every operator."""
    table = tabulate_operators(one_per_operator(inputs, "knockouts", operators))
    return Drawn(draw_accuracy(table, operators), table)


def tabulate_operators(files: Mapping[str, str]) -> pd.DataFrame:
    """`tabulate_accuracy` of the knockouts of every operator, one after the other."""
    parts = [
        tabulate_accuracy(op, zero_ablation(path), generator(BOOTSTRAP_SEED, "fig08", op))
        for op, path in files.items()
    ]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def zero_ablation(path: str) -> pd.DataFrame:
    """Knockouts by prompt of one operator that set activations to zero, as the paper does."""
    table = store.read_table(path, ["ablation", *READ])
    return table[table["ablation"] == "zero"]


def tabulate_accuracy(
    operator: str, knockouts: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Accuracy at every limit and condition, with the 95 % bootstrap interval over prompts.

    mean_neurons is the mean number of neurons silenced in one prompt, over all layers. A control
    that found fewer than ``MIN_CONTROL`` of the neurons it should match is no control: it is in the
    table, but not drawn (`COLUMNS`).
    """
    rows = []
    for _, group in knockouts.groupby(["condition", "limit"], sort=False):
        condition, limit = group[["condition", "limit"]].iloc[0]
        correct = group["correct"].to_numpy(dtype=np.float64)
        low, high = bootstrap_mean_interval(correct, rng)
        ends = (correct.mean(), float(low), float(high))
        rows.append((operator, condition, limit, *ends, len(group), group["n_neurons"].mean()))
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    table = table.sort_values(["condition", "limit"], ignore_index=True)
    heuristic = table["condition"] == "heuristic"
    wanted = table["limit"].map(table[heuristic].set_index("limit")["mean_neurons"])
    return table.assign(drawn=heuristic | (table["mean_neurons"] >= MIN_CONTROL * wanted))


def draw_accuracy(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Lines of accuracy: colour for the operator, solid for heuristics, others for controls."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(COLUMN, 2.9)
        axes = figure.subplots()
        shown = draw_panel(axes, table, operators)
        axes.set_ylim(*accuracy_limits(float(table["low"].min())))
        operator_legend(figure, operators, shown)
        return figure


def draw_panel(axes: Axes, table: pd.DataFrame, operators: Sequence[str]) -> list[str]:
    """The lines of one model in given axes; returns the operators that have them."""
    shown = [operator for operator in operators if (table["operator"] == operator).any()]
    for condition in LINES:
        for operator in shown:
            held = (table["operator"] == operator) & (table["condition"] == condition)
            _line(axes, table[held & table["drawn"].astype(bool)], operator, condition)
    axes.set(xlabel=x_label(table), ylabel="accuracy")
    axes.margins(x=0.02)
    return shown


def x_label(table: pd.DataFrame) -> str:
    """What the numbers count, and why a control may be missing."""
    note = "" if table["drawn"].all() else "\nno dashed line: too few other top neurons"
    return f"neurons silenced in each layer (at most){note}"


def _line(axes: Axes, rows: pd.DataFrame, operator: str, condition: str) -> None:
    colour, heuristic = OPERATOR_COLOURS[operator], condition == "heuristic"
    axes.fill_between(
        rows["limit"], rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0
    )
    axes.plot(
        rows["limit"], rows["accuracy"], LINES[condition], color=colour,
        marker=OPERATOR_MARKERS[operator], markevery=max(1, len(rows) // 6),
        markerfacecolor=colour if heuristic else "white", linewidth=1.2 if heuristic else 0.9,
    )  # fmt: skip


def operator_legend(
    figure: FigureBase, operators: Sequence[str], shown: Sequence[str], *, one_row: bool = False
) -> None:
    """Operators and conditions above the panels: a row of each, or rows of two."""
    colours = [
        Line2D([], [], color=OPERATOR_COLOURS[op], marker=OPERATOR_MARKERS[op]) for op in operators
    ]
    names = [OPERATOR_TITLES[op] + ("" if op in shown else " (no prompts)") for op in operators]
    marks = list(zip(colours, names, strict=True))
    lines = [Line2D([], [], color=NEUTRAL, linestyle=line) for line in LINES.values()]
    conditions = list(zip(lines, LINE_NAMES, strict=True))
    # a page is not wide enough for the words on more than two operators without prompts
    if one_row and len(operators) - len(shown) <= 2:
        rows = [marks, conditions]
    else:
        rows = [part[n : n + 2] for part in (marks, conditions) for n in range(0, len(part), 2)]
    width, blank = max(map(len, rows)), (Line2D([], [], linestyle="none"), "")
    # legends are filled column by column
    cells = [row[n] if n < len(row) else blank for n in range(width) for row in rows]
    figure.legend(
        [handle for handle, _ in cells],
        [name for _, name in cells],
        ncols=width,
        loc="outside upper center",
        columnspacing=1.2,
    )
