"""Figure 5: for every heuristic type, the map of the neuron that matches it best."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pipeline_lib.figures.planes import Frame, cell_means, choose_frame, show_map
from pipeline_lib.figures.reading import (
    best_first,
    neuron_name,
    one_per_operator,
    own_heuristics,
    read_matches,
    read_neuron_map,
)
from pipeline_lib.figures.style import (
    DIVERGING,
    PAGE,
    SMALL,
    Drawn,
    colour_map,
    new_figure,
    operator_title,
    panel_letter,
    say,
    style,
)
from pipeline_lib.heuristics.types import TYPE_TITLES, Heuristic

MATCH = ["operator", "layer", "neuron", "heuristic", "label", "map", "side", "score", "base_rate"]
MATCH += ["corrected_score"]
FRAME = ["first_a", "first_b", "cells", "step"]
COLUMNS = ["type", *MATCH, *FRAME, "a", "b", "value"]
MIN_BASE_RATE = 0.01
PER_ROW = 3
INTEGERS = ["layer", "neuron", *FRAME, "a", "b"]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the maps and matches of every operator."""
    maps = one_per_operator(inputs, "maps", operators)
    files = one_per_operator(inputs, "matches", operators)
    matches = [
        read_matches(path, settings["kind"]).assign(operator=op) for op, path in files.items()
    ]
    table = tabulate_types(best_of_each_type(matches), maps)
    return Drawn(draw_types(table), table)


def best_of_each_type(matches: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The match of each type with the best chance-corrected score, over all operators.

    A neuron stands for the heuristic it matches best: a neuron for "result = 0" does not illustrate
    ranges. Heuristics of at least ``MIN_BASE_RATE`` of the prompts go first: they can be seen.
    Where a type has no such neuron, any of its matches serves; a type without one has a row of its
    name alone. Equal scores: the first operator.
    """
    filled = [part for part in matches if len(part)] or list(matches)[:1]
    own = _ordered([own_heuristics(part) for part in filled])
    seen = own[own["base_rate"] >= MIN_BASE_RATE]
    every = _ordered([best_first(part) for part in filled])
    best = pd.concat([seen, own, every]).drop_duplicates("type").set_index("type")
    return best.reindex(TYPE_TITLES).rename_axis("type").reset_index()[["type", *MATCH]]


def _ordered(matches: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = ["corrected_score", "base_rate"]
    return pd.concat(matches).sort_values(columns, ascending=False, kind="stable")


def tabulate_types(best: pd.DataFrame, maps: dict[str, str]) -> pd.DataFrame:
    """One row a panel (the match and its frame), then the drawn cells of all panels (`COLUMNS`)."""
    panels, cells = [], []
    for match in best.to_dict("records"):
        if not isinstance(match["heuristic"], str):
            panels.append({"type": match["type"]})
            continue
        neuron = read_neuron_map(maps[match["operator"]], int(match["layer"]), int(match["neuron"]))
        frame = choose_frame(Heuristic.from_name(match["heuristic"]), neuron.prompts)
        panels.append({**match, **dict(zip(FRAME, frame.as_tuple(), strict=True))})
        means = cell_means(neuron.prompts, neuron.values(match["map"]), frame)
        cells.append(means.assign(type=match["type"]))
    table = pd.concat([pd.DataFrame(panels), *cells], ignore_index=True).reindex(columns=COLUMNS)
    return table.astype(dict.fromkeys(INTEGERS, "Int64"))


def draw_types(table: pd.DataFrame) -> Figure:
    """The maps, a panel a type, all on one colour scale relative to each map's largest size."""
    with style():
        n_rows = -(-len(TYPE_TITLES) // PER_ROW)
        figure = new_figure(PAGE, 2.35 * n_rows)
        grid = figure.subplots(n_rows, PER_ROW, squeeze=False)
        for axes in grid.ravel()[len(TYPE_TITLES) :]:
            axes.set_axis_off()
        panels = table[table["a"].isna()].set_index("type")
        for place, (name, axes) in enumerate(zip(TYPE_TITLES, grid.ravel(), strict=False)):
            title = f"{panel_letter(place)}  {TYPE_TITLES[name]}"
            if pd.isna(panels.loc[name, "heuristic"]):
                axes.set_title(title, fontweight="bold")
                say(axes, "no neuron matches\na heuristic of this type")
                continue
            cells = table[(table["type"] == name) & table["a"].notna()]
            _panel(axes, title, panels.loc[name], cells)
        scale = ScalarMappable(Normalize(-1, 1), colour_map(DIVERGING))
        bar = figure.colorbar(scale, ax=grid, aspect=30, pad=0.01)
        bar.set_label("K map or KV map, relative to the panel's largest size")
        return figure


def _panel(axes: Axes, title: str, panel: pd.Series, cells: pd.DataFrame) -> None:
    frame = Frame(*(int(panel[name]) for name in FRAME))
    show_map(axes, cells.astype({"a": int, "b": int}), frame)
    neuron = neuron_name(int(panel["layer"]), int(panel["neuron"]))
    axes.set_title(title, fontweight="bold", pad=22)
    axes.text(
        0.5, 1.03,
        f"{panel['label']}\n{operator_title(panel['operator'])}, {neuron}, {panel['map']} map, "
        f"score {panel['score']:.2f}",
        transform=axes.transAxes, ha="center", va="bottom", fontsize=SMALL, linespacing=1.3,
    )  # fmt: skip
