"""Figure 10b: faithfulness of checkpoints with the neurons that they share with the final model."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.faithfulness_curves import (
    BOOTSTRAP_SEED,
    MEASURED,
    PROMPT,
    tabulate_curve,
)
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
from pipeline_lib.figures.style import (
    NEUTRAL,
    OPERATOR_COLOURS,
    OPERATOR_MARKERS,
    Drawn,
    message_figure,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_ratio_interval

CIRCUITS = ["all", "random", "shared"]
"""Late neurons that are kept, in the order of drawing (`checkpoints.circuits.kept_neurons`)."""
COLUMNS = [
    "operator", "checkpoint", "circuit", "n_neurons", "ratio_of_means", "low", "high",
    "faithfulness", "faithfulness_low", "faithfulness_high", "kl", "accuracy", "n_prompts",
    "n_undefined", "drawn",
]  # fmt: skip
NEEDED = ["checkpoint", "operator", *PROMPT, "curve", "size", *MEASURED]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the faithfulness of every checkpoint's circuits."""
    names = all_names(settings)
    found = pd.concat([store.read_table(path, NEEDED) for path in paths(inputs["faithfulness"])])
    table = tabulate(found, operators, names, settings["min_prompts"])
    return Drawn(draw_faithfulness(table, operators, names), table)


def tabulate(
    found: pd.DataFrame, operators: Sequence[str], names: Sequence[str], min_prompts: int
) -> pd.DataFrame:
    """Faithfulness of every circuit (`COLUMNS`), as ratio of means and as mean (definitions 5).

    The ratio is drawn: at early checkpoints NL(model) is close to NL(none) for some prompts, which
    the mean would hang on. n_neurons are the late neurons kept; drawn is False with fewer than
    ``min_prompts`` prompts.
    """
    groups = dict(iter(found.groupby(["operator", "checkpoint", "curve"])))
    parts = [
        _tabulate_circuit(groups.get(key, found.iloc[:0]), *key)
        for key in product(operators, names, CIRCUITS)
    ]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return table.assign(drawn=table["n_prompts"] >= min_prompts)[COLUMNS]


def _tabulate_circuit(rows: pd.DataFrame, operator: str, name: str, circuit: str) -> pd.DataFrame:
    """One line for one circuit of one checkpoint; none without prompts."""
    mean = tabulate_curve(operator, rows, "fig10b", name, circuit).rename(
        columns={"size": "n_neurons", "low": "faithfulness_low", "high": "faithfulness_high"}
    )
    gained, all_of_it = (
        (rows[column] - rows["nl_none"]).to_numpy(dtype=np.float64) for column in ("nl", "nl_model")
    )
    rng = generator(BOOTSTRAP_SEED, "fig10b_ratio", operator, name, circuit)
    low, high = bootstrap_ratio_interval(gained, all_of_it, rng)
    return mean.assign(checkpoint=name, circuit=circuit, low=low, high=high)


def draw_faithfulness(
    table: pd.DataFrame, operators: Sequence[str], names: Sequence[str]
) -> Figure:
    """A panel an operator, with lines for all, shared and as many random neurons."""
    with style():
        drawn = table[table["drawn"].astype(bool)]
        if drawn.empty:
            return message_figure("no checkpoint answers enough prompts:\nno circuit was tested")
        figure, panels = panels_over_training(operators, names, "faithfulness")
        n_absent = 0
        for operator, axes in panels.items():
            rows = drawn[drawn["operator"] == operator]
            if (table["operator"] == operator).any():
                n_absent += _panel(axes, rows, names, operator)
            else:
                without_prompts(axes)
        handles, words = _legend()
        if n_absent:
            cross, says = absent_entry()
            handles, words = [*handles, cross], [*words, says]
        figure.legend(handles, words, ncols=4, loc="outside upper center", columnspacing=1.2)
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, names: Sequence[str], operator: str) -> int:
    for level in (0, 1):
        axes.axhline(level, color=NEUTRAL, linewidth=0.5, linestyle=":", zorder=0)
    for circuit, (options, colour) in _styles(OPERATOR_COLOURS[operator]).items():
        own = rows[rows["circuit"] == circuit]
        marker = {"marker": OPERATOR_MARKERS[operator]} if circuit != "random" else {}
        draw_band(axes, own, names, colour)
        draw_line(axes, own, names, "ratio_of_means", colour, **marker, **options)
    return mark_absent(axes, set(rows["checkpoint"]), names)


def _styles(colour: str) -> dict[str, tuple[dict[str, Any], str]]:
    """How the line of each circuit is drawn."""
    open_marker = {"markerfacecolor": "white", "markeredgewidth": 0.8}
    return {
        "all": ({"linestyle": "--", "linewidth": 0.9, **open_marker}, colour),
        "random": ({"linestyle": ":", "linewidth": 0.9, "marker": "."}, NEUTRAL),
        "shared": ({"linestyle": "-"}, colour),
    }


def _legend() -> tuple[list[Line2D], list[str]]:
    words = {
        "all": "all neurons of its heuristics",
        "shared": "those with a pair of the final model",
        "random": "as many of all, at random",
    }
    styles = _styles("black")
    handles = [
        Line2D([], [], **{"marker": "o", "color": styles[name][1], **styles[name][0]})
        for name in words
    ]
    return handles, list(words.values())
