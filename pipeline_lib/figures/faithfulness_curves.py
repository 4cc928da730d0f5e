"""Faithfulness against circuit size: the lines of figures 4b, 11 and 12b (definitions 5)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    COLUMN,
    NEUTRAL,
    OPERATOR_COLOURS,
    OPERATOR_MARKERS,
    OPERATOR_TITLES,
    message_figure,
    new_figure,
    style,
)
from pipeline_lib.measures.faithfulness import ratio_of_means
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

PROMPT = ["a", "b", "answer"]
MEASURED = ["nl", "nl_none", "nl_model", "faithfulness", "kl", "correct"]
READ = ["seed", *PROMPT, "curve", "size", *MEASURED]
COLUMNS = [
    "operator", "size", "faithfulness", "low", "high", "ratio_of_means", "kl", "accuracy",
    "n_prompts", "n_undefined",
]  # fmt: skip
BOOTSTRAP_SEED = 0
NOTHING = "no operator has evaluation prompts:\nno circuit was tested"
ZERO_GAP = 2.5
"""On a logarithmic axis 0 stands left of the smallest size, by this factor."""


def read_faithfulness(
    inputs: dict[str, Any], operators: Sequence[str], curve: str
) -> dict[str, pd.DataFrame]:
    """Rows of one curve for every operator, each prompt once whichever seeds drew it."""
    found = {}
    for operator, path in one_per_operator(inputs, "faithfulness", operators).items():
        table = store.read_table(path, READ)
        rows = table[table["curve"] == curve]
        found[operator] = rows.drop_duplicates([*PROMPT, "size"])
    return found


def by_prompt(rows: pd.DataFrame, name: str) -> Float[np.ndarray, "prompt size"]:
    """One measure of one curve; the sizes ascend."""
    wide = rows.pivot(index=PROMPT, columns="size", values=name)
    return wide.to_numpy(dtype=np.float64)


def tabulate_curve(operator: str, rows: pd.DataFrame, *purpose: str) -> pd.DataFrame:
    """Means over prompts at every size, with the 95 % bootstrap interval of the faithfulness.

    The mean faithfulness leaves out the prompts for which it is undefined (n_undefined of
    n_prompts); the other columns have all. ``purpose`` names the random draws.
    """
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    values = {name: by_prompt(rows, name) for name in MEASURED}
    defined = ~np.isnan(values["faithfulness"]).any(axis=1)
    faithful = values["faithfulness"][defined]
    low, high = bootstrap_mean_interval(faithful, generator(BOOTSTRAP_SEED, *purpose, operator))
    sizes = np.unique(rows["size"].to_numpy())
    none, model = (values[name][:, 0] for name in ("nl_none", "nl_model"))
    return pd.DataFrame(
        {
            "operator": operator,
            "size": sizes,
            "faithfulness": faithful.mean(axis=0) if len(faithful) else np.nan,
            "low": low,
            "high": high,
            "ratio_of_means": ratio_of_means(values["nl"], none, model),
            "kl": values["kl"].mean(axis=0),
            "accuracy": values["correct"].mean(axis=0),
            "n_prompts": len(defined),
            "n_undefined": int((~defined).sum()),
        }
    )


def tabulate_curves(
    inputs: dict[str, Any], operators: Sequence[str], curve: str, figure: str
) -> pd.DataFrame:
    """`tabulate_curve` of every operator, one after the other."""
    rows = read_faithfulness(inputs, operators, curve)
    parts = [tabulate_curve(op, table, figure) for op, table in rows.items()]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def with_share(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the size in percent of the largest one, which is the whole layer."""
    largest = table["size"].max() if len(table) else 1
    return table.assign(percent=100 * table["size"] / largest)


def draw_curves(
    table: pd.DataFrame,
    operators: Sequence[str],
    *,
    x: str,
    label: str,
    log: bool = False,
    circuits: pd.DataFrame | None = None,
) -> Figure:
    """Mean faithfulness against the column ``x``, a line an operator; bands are the intervals.

    Rings mark ``circuits`` (rows with operator, ``x`` and faithfulness).
    """
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(COLUMN, 2.6)
        shown = draw_panel(figure.subplots(), table, operators, x=x, label=label, log=log)
        for row in circuits.to_dict("records") if circuits is not None else []:
            _ring(figure.axes[0], row, x)
        _legend(figure, operators, shown, rings=circuits is not None)
        return figure


def draw_panel(
    axes: Axes,
    table: pd.DataFrame,
    operators: Sequence[str],
    *,
    x: str,
    label: str,
    log: bool = False,
) -> list[str]:
    """The lines of `draw_curves` in given axes; returns the operators that have one."""
    for level in (0, 1):
        axes.axhline(level, color=NEUTRAL, linewidth=0.5, linestyle=":", zorder=0)
    shown = [op for op in operators if (table["operator"] == op).any()]
    for operator in shown:
        _line(axes, table[table["operator"] == operator], operator, x, log=log)
    if log:
        _log_axis(axes, table[x])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True))
    axes.set(xlabel=label, ylabel="faithfulness")
    return shown


def _line(axes: Axes, rows: pd.DataFrame, operator: str, x: str, *, log: bool) -> None:
    """One operator; on a logarithmic axis the size 0 is a point of its own."""
    colour, marker = OPERATOR_COLOURS[operator], OPERATOR_MARKERS[operator]
    grown = rows[rows[x] > 0] if log else rows
    axes.fill_between(grown[x], grown["low"], grown["high"], color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        grown[x], grown["faithfulness"], color=colour, marker=marker,
        markevery=max(1, len(grown) // 8),
    )  # fmt: skip
    if not log:
        return
    left = grown[x].min() / ZERO_GAP
    for row in rows[rows[x] == 0].to_dict("records"):
        axes.plot([left, left], [row["low"], row["high"]], color=colour, alpha=0.4)
        axes.plot(left, row["faithfulness"], color=colour, marker=marker)


def _log_axis(axes: Axes, sizes: pd.Series) -> None:
    """A logarithmic axis in percent on which 0 has a place."""
    axes.set_xscale("log")
    first = float(sizes[sizes > 0].min())
    every = [10.0**n for n in range(-4, 3)]
    decades = [ten for ten in every if ten >= first]
    axes.set_xticks([first / ZERO_GAP, *decades], ["0", *(f"{ten:g}" for ten in decades)])
    between = [digit * ten for ten in every for digit in range(2, 10)]
    axes.set_xticks([tick for tick in between if first <= tick < 100], minor=True)
    axes.set_xlim(first / ZERO_GAP / 1.4, 140)


def _ring(axes: Axes, row: dict[Any, Any], x: str) -> None:
    axes.plot(
        row[x], row["faithfulness"], "o", markersize=7, markerfacecolor="none",
        markeredgecolor=OPERATOR_COLOURS[row["operator"]], markeredgewidth=0.9,
    )  # fmt: skip


def _legend(figure: Figure, operators: Sequence[str], shown: Sequence[str], *, rings: bool) -> None:
    handles = [
        Line2D([], [], color=OPERATOR_COLOURS[op], marker=OPERATOR_MARKERS[op]) for op in operators
    ]
    names = [OPERATOR_TITLES[op] + ("" if op in shown else " (no prompts)") for op in operators]
    if rings:
        ring: dict[str, Any] = {"markersize": 7, "markerfacecolor": "none", "markeredgewidth": 0.9}
        handles.append(Line2D([], [], color=NEUTRAL, marker="o", linestyle="", **ring))
        names.append("circuit of table 1")
    figure.legend(handles, names, ncols=2, loc="outside upper center", columnspacing=1.2)
