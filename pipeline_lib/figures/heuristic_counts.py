"""Neurons of every heuristic type in every layer, and the share of top neurons with any."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator, read_matches
from pipeline_lib.figures.style import (
    SMALL,
    Drawn,
    message_figure,
    operator_panels,
    operator_title,
    say,
    style,
)
from pipeline_lib.heuristics.types import TYPE_TITLES

COLUMNS = ["operator", "layer", "type", "neurons", "top_neurons"]
ANY = "any"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the top neurons and their matches, of every operator."""
    neurons = one_per_operator(inputs, "neurons", operators)
    matches = one_per_operator(inputs, "matches", operators)
    parts = [
        tabulate_counts(
            operator,
            store.read_table(neurons[operator], ["layer", "neuron"]),
            read_matches(matches[operator], settings["kind"]),
        )
        for operator in operators
    ]
    table = pd.concat(parts, ignore_index=True).astype({"neurons": int, "top_neurons": int})
    return Drawn(draw_counts(table, operators), table)


def tabulate_counts(operator: str, neurons: pd.DataFrame, matches: pd.DataFrame) -> pd.DataFrame:
    """Neurons that match each type, by layer (`COLUMNS`); a neuron counts once a type.

    Type "any" counts the neurons that match at least one heuristic.
    """
    top = neurons.groupby("layer").size()
    by_type = matches.drop_duplicates(["layer", "neuron", "type"]).groupby(["layer", "type"]).size()
    matched = matches.drop_duplicates(["layer", "neuron"]).groupby("layer").size()
    rows = [
        (
            operator,
            layer,
            name,
            int(matched.get(layer, 0) if name == ANY else by_type.get((layer, name), 0)),
            int(top[layer]),
        )
        for layer in top.index
        for name in (*TYPE_TITLES, ANY)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw_counts(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Bars of the types, one piece a layer, a panel an operator."""
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nno neuron was analysed")
        layers = sorted(table["layer"].unique().tolist())
        places = np.linspace(0.85, 0.15, len(layers))
        colours = dict(zip(layers, matplotlib.colormaps["viridis"](places), strict=True))
        figure, panels = operator_panels(operators, 2.0, sharey=True)
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows.empty:
                say(axes, "no correct prompts")
                continue
            _bars(axes, rows, colours)
            axes.set_title(f"{operator_title(operator)}\n{_share(rows)}", linespacing=1.5)
        first = next(axes for axes in panels.values() if axes.axison)
        first.tick_params(labelleft=True)
        first.set_yticks(range(len(TYPE_TITLES)), list(TYPE_TITLES.values()))
        first.set_ylim(len(TYPE_TITLES) - 0.4, -0.6)
        figure.supxlabel("neurons", fontsize="medium")
        handles = [Patch(color=colour) for colour in colours.values()]
        figure.legend(
            handles, [str(layer) for layer in layers], title="layer", title_fontsize=SMALL,
            loc="outside right center", ncols=1 + (len(layers) - 1) // 12,
            handlelength=0.8, handleheight=0.8,
        )  # fmt: skip
        return figure


def _share(rows: pd.DataFrame) -> str:
    matched = int(rows.loc[rows["type"] == ANY, "neurons"].sum())
    top = int(rows.loc[rows["type"] == ANY, "top_neurons"].sum())
    return f"{matched} of {top} match: {100 * matched / max(top, 1):.0f} %"


def _bars(axes: Axes, rows: pd.DataFrame, colours: dict[int, Any]) -> None:
    counts = rows[rows["type"] != ANY].pivot(index="type", columns="layer", values="neurons")
    counts = counts.reindex(TYPE_TITLES)
    start = np.zeros(len(counts))
    for layer in counts.columns:
        width = counts[layer].to_numpy()
        axes.barh(range(len(counts)), width, left=start, color=colours[layer], height=0.75)
        start = start + width
    for place, total in enumerate(start):
        axes.annotate(
            f"{total:.0f}", (total, place), xytext=(2, 0), textcoords="offset points",
            va="center", fontsize=SMALL,
        )  # fmt: skip
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.set_xlim(0, max(axes.get_xlim()[1], 1))
    axes.tick_params(axis="y", length=0)
