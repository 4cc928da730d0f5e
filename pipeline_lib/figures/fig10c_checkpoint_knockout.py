"""Figure 10c: accuracy of checkpoints without the neurons that a prompt uses (definitions 8, 9)."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.fig08_prompt_knockout import READ, tabulate_accuracy
from pipeline_lib.figures.over_training import (
    absent_entry,
    all_names,
    draw_band,
    draw_line,
    mark_absent,
    panels_over_training,
    without_prompts,
)
from pipeline_lib.figures.reading import paths
from pipeline_lib.figures.style import NEUTRAL, SEQUENTIAL, Drawn, message_figure, style
from pipeline_lib.rng import generator

COLUMNS = [
    "operator", "checkpoint", "condition", "limit", "accuracy", "low", "high", "n_prompts",
    "mean_neurons", "drawn",
]  # fmt: skip
BOOTSTRAP_SEED = 0
MARKERS = "o^sDv"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the knockouts of every checkpoint."""
    names, columns = all_names(settings), ["checkpoint", "operator", *READ]
    found = pd.concat([store.read_table(path, columns) for path in paths(inputs["knockouts"])])
    table = tabulate(found, operators, names, settings["min_prompts"])
    return Drawn(draw_knockouts(table, operators, names), table)


def tabulate(
    found: pd.DataFrame, operators: Sequence[str], names: Sequence[str], min_prompts: int
) -> pd.DataFrame:
    """Accuracy at every checkpoint, condition and limit with its interval, as in figure 8.

    drawn is False with fewer than ``min_prompts`` prompts, and for a control that is none.
    """
    groups = dict(iter(found.groupby(["operator", "checkpoint"])))
    parts = []
    for operator, name in product(operators, names):
        rows = groups.get((operator, name), found.iloc[:0])
        rng = generator(BOOTSTRAP_SEED, "fig10c", name, operator)
        parts.append(tabulate_accuracy(operator, rows, rng).assign(checkpoint=name))
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    enough = table["n_prompts"] >= min_prompts
    return table.assign(drawn=enough & table["drawn"].astype(bool))[COLUMNS]


def draw_knockouts(table: pd.DataFrame, operators: Sequence[str], names: Sequence[str]) -> Figure:
    """A panel an operator: colour for the number of neurons, dashed for the control."""
    with style():
        drawn = table[table["drawn"].astype(bool) & (table["limit"] > 0)]
        if drawn.empty:
            return message_figure("no checkpoint answers enough prompts:\nnothing was knocked out")
        figure, panels = panels_over_training(operators, names, "accuracy")
        looks = _looks(sorted(set(drawn["limit"].tolist())))
        n_absent = 0
        for operator, axes in panels.items():
            rows = drawn[drawn["operator"] == operator]
            if (table["operator"] == operator).any():
                n_absent += _panel(axes, rows, names, looks)
            else:
                without_prompts(axes)
        next(iter(panels.values())).set_ylim(-0.05, 1.05)
        handles, words = _legend(looks, complete=_has_all_controls(table))
        if n_absent:
            cross, says = absent_entry()
            handles, words = [*handles, cross], [*words, says]
        figure.legend(handles, words, ncols=3, loc="outside upper center", columnspacing=1.2)
        return figure


def _looks(limits: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Colour and marker of every number of neurons, darker for more."""
    shades = matplotlib.colormaps[SEQUENTIAL]
    step = 0.55 / max(len(limits) - 1, 1)
    return {
        int(limit): {"color": to_hex(shades(0.4 + step * place)), "marker": MARKERS[place % 5]}
        for place, limit in enumerate(limits)
    }


def _panel(
    axes: Axes, rows: pd.DataFrame, names: Sequence[str], looks: dict[int, dict[str, Any]]
) -> int:
    for limit, look in looks.items():
        colour, marker = look["color"], look["marker"]
        for condition in ("control", "heuristic"):
            own = rows[(rows["limit"] == limit) & (rows["condition"] == condition)]
            options = {"linestyle": "-"} if condition == "heuristic" else _control_look()
            draw_band(axes, own, names, colour, alpha=0.08)
            draw_line(axes, own, names, "accuracy", colour, marker=marker, **options)
    return mark_absent(axes, set(rows["checkpoint"]), names)


def _control_look() -> dict[str, Any]:
    return {
        "linestyle": "--", "linewidth": 0.9, "markerfacecolor": "white", "markeredgewidth": 0.8,
    }  # fmt: skip


def _legend(looks: dict[int, dict[str, Any]], *, complete: bool) -> tuple[list[Line2D], list[str]]:
    handles = [Line2D([], [], **look) for look in looks.values()]
    words = [f"{limit} neurons in each layer" for limit in looks]
    handles += [Line2D([], [], color=NEUTRAL), Line2D([], [], color=NEUTRAL, **_control_look())]
    control = "control: other top neurons" + ("" if complete else " (none where too few)")
    return handles, [*words, "of the prompt's heuristics", control]


def _has_all_controls(table: pd.DataFrame) -> bool:
    """Whether every point that is drawn has its control."""
    cells = ["operator", "checkpoint", "limit"]
    counts = table[table["drawn"].astype(bool)].groupby(cells)["condition"].nunique()
    return bool((counts == 2).all())
