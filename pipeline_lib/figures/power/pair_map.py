"""Heat map of one pair: layers upward, the tokens of its sentence to the right."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.artifacts.power import StoredSweep, read_power_sweep
from pipeline_lib.figures.style import (
    DIVERGING,
    PAGE,
    Drawn,
    colour_map,
    message_figure,
    new_figure,
    style,
)
from pipeline_lib.figures.sweep_map import spaced
from pipeline_lib.findings.words import decimal

TOKENS = ["line", "place", "source", "base", "region"]
NOTHING = "no pair was swept: see the table of baselines"
MOST_ROWS = 24


def make_pair(inputs: dict[str, Any], most_rows: int | None = None) -> Drawn:
    """The first pair of a sweep; of several components only the rows with the largest effects."""
    sweep = read_power_sweep(inputs["sweep"])
    tokens = store.read_table(inputs["tokens"], TOKENS)
    pairs = store.read_table(inputs["pairs"], ["line", "power", "no_power"])
    if not sweep.lines:
        with style():
            return Drawn(message_figure(NOTHING, PAGE), pd.DataFrame(columns=_columns()))
    chosen = tokens[tokens["line"] == sweep.lines[0]].fillna("")
    table = tabulate(sweep, chosen)
    sentences = pairs.set_index("line").loc[sweep.lines[0]]
    return Drawn(draw(table, sweep, sentences, most_rows), table)


def _columns() -> list[str]:
    return [*TOKENS, "layer", "component", "effect", "recovery"]


def tabulate(sweep: StoredSweep, tokens: pd.DataFrame) -> pd.DataFrame:
    """One row for each token, layer and component of the first pair."""
    rows = []
    for token in tokens.to_dict("records"):
        place = sweep.places.index(token["place"])
        for i, layer in enumerate(sweep.layers):
            for j, component in enumerate(sweep.components):
                numbers = sweep.effect[0, i, j, place], sweep.recovery[0, i, j, place]
                rows.append((*token.values(), layer, component, *numbers))
    return pd.DataFrame(rows, columns=[*tokens.columns, *_columns()[len(TOKENS) :]])


def draw(
    table: pd.DataFrame, sweep: StoredSweep, sentences: pd.Series, most_rows: int | None
) -> Figure:
    """The map, with scales in nats and as recovery, and both tokens where they differ."""
    tokens = table.drop_duplicates("place")
    rows = [(layer, name) for layer in sweep.layers for name in sweep.components]
    wide = table.pivot_table(
        index=["layer", "component"], columns="place", values="effect", dropna=False
    )
    values = wide.reindex(index=rows, columns=list(tokens["place"])).to_numpy(np.float64)
    labels = [_row_name(*row, several=len(sweep.components) > 1) for row in rows]
    if most_rows:
        kept = strongest(values, most_rows)
        values, labels = values[kept], [labels[i] for i in kept]
    with style():
        figure = new_figure(PAGE, 1.5 + 0.095 * len(values))
        axes = figure.subplots()
        _draw_map(figure, axes, values, sweep.source[0] - sweep.base[0])
        _name(axes, tokens, labels)
        axes.set_ylabel("head" if most_rows else "layer")
        axes.set_title(
            f"into: {sentences['no_power']}  ({decimal(sweep.base[0], 3)} nats)\n"
            f"from: {sentences['power']}  ({decimal(sweep.source[0], 3)} nats)"
        )
        return figure


def strongest(values: Float64[np.ndarray, "row place"], most: int) -> list[int]:
    """Rows with the largest absolute values, in their own order."""
    order = np.argsort(-np.abs(values).max(axis=1), kind="stable")[:most]
    return sorted(int(i) for i in order)


def _draw_map(
    figure: Figure, axes: Axes, values: Float64[np.ndarray, "row place"], gap: float
) -> None:
    end = float(np.nanmax(np.abs(values))) or 1.0
    image = axes.imshow(
        values, cmap=colour_map(DIVERGING), vmin=-end, vmax=end, origin="lower", aspect="auto"
    )
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.01, aspect=25)
    bar.set_label("change of the log-ratio (nats)")
    bar.ax.yaxis.set_ticks_position("left")
    bar.ax.yaxis.set_label_position("left")
    if np.isfinite(gap) and gap:
        there, back = partial(np.multiply, 1 / gap), partial(np.multiply, gap)
        share = bar.ax.secondary_yaxis("right", functions=(there, back))
        share.set_ylabel("recovery")


def _name(axes: Axes, tokens: pd.DataFrame, labels: Sequence[str]) -> None:
    names = [shown(row["source"], row["base"]) for row in tokens.to_dict("records")]
    axes.set_xticks(range(len(names)), names, rotation=90, fontfamily="monospace")
    for tick, region in zip(axes.get_xticklabels(), tokens["region"], strict=True):
        tick.set_fontweight("bold" if region == "differing" else "normal")
        tick.set_fontstyle("italic" if region == "entity" else "normal")
    ticks = spaced(len(labels), 31)
    axes.set_yticks(ticks, [labels[i] for i in ticks])


def shown(source: str, base: str) -> str:
    """A token as a label; what the base has and what the source has, where they differ."""
    texts = [repr(text.strip() or text)[1:-1] for text in (base, source)]
    return texts[0] if source == base else f"{texts[0]} | {texts[1]}"


def _row_name(layer: int, component: str, *, several: bool) -> str:
    if several:
        return f"{layer}.{component.removeprefix('head_')}"
    return "emb." if layer < 0 else str(layer)
