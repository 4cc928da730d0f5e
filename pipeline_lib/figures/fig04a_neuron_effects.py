"""Figure 4a: effect of every neuron of one late layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from pipeline_lib import store
from pipeline_lib.figures.reading import ATTRIBUTION_KIND, one_per_operator, paths
from pipeline_lib.figures.style import (
    OPERATOR_COLOURS,
    SMALL,
    Drawn,
    message_figure,
    operator_panels,
    say,
    style,
)
from pipeline_lib.figures.table import text_width
from pipeline_lib.neurons.importance import first_layer, importance
from pipeline_lib.probing.readable import resolve_first_layer
from pipeline_lib.rng import generator
from pipeline_lib.stats import nested_mean_interval

COLUMNS = ["operator", "layer", "neuron", "mean_effect", "low", "high", "labelled", "n_prompts"]
BOOTSTRAP_SEED = 0
N_LABELLED = 3
RASTER_FROM = 2000
"""Clouds of more points than this are stored as a picture, so that the PDF stays small."""


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the attribution of every operator."""
    files = one_per_operator(inputs, "attribution", operators)
    probes = [store.read_table(path) for path in paths(inputs.get("probes", []))]
    table = tabulate_neuron_effects(files, resolve_first_layer(settings["neurons"], probes))
    return Drawn(draw_neuron_effects(table, operators), table)


def layer_importance(path: str, neurons: dict[str, Any]) -> dict[int, float]:
    """Summed importance of the neurons of every late layer; none without prompts."""
    with store.open_artifact(path, ATTRIBUTION_KIND) as artifact:
        n_prompts, n_layers, _ = artifact.dataset("neurons_last").shape
        first = first_layer(neurons["first_heuristics_layer"], n_layers)
        layers = range(first, n_layers) if n_prompts else range(0)
        return {
            layer: float(importance(_effects(artifact, layer), neurons["importance"]).values.sum())
            for layer in layers
        }


def tabulate_neuron_effects(files: dict[str, str], neurons: dict[str, Any]) -> pd.DataFrame:
    """Mean effect of each neuron of the late layer that matters most over all operators.

    That is the layer with the largest importance, summed over its neurons and the operators.
    low, high: 95 % bootstrap interval over seeds and prompts. NaN effects count as 0. The
    ``N_LABELLED`` largest of each operator are labelled (`COLUMNS`).
    """
    totals = pd.DataFrame([layer_importance(path, neurons) for path in files.values()])
    if totals.empty or not totals.shape[1]:
        return pd.DataFrame(columns=COLUMNS)
    layer = int(totals.columns.to_numpy()[totals.sum().to_numpy().argmax()])
    return pd.concat([_rows(op, path, layer) for op, path in files.items()], ignore_index=True)


def _effects(artifact: store.Artifact, layer: int) -> np.ndarray:
    """Effects [prompt, layer, neuron] of one layer, so that memory does not hold all of them."""
    return artifact.read("neurons_last", np.s_[:, layer : layer + 1, :])


def _rows(operator: str, path: str, layer: int) -> pd.DataFrame:
    with store.open_artifact(path, ATTRIBUTION_KIND) as artifact:
        effects, n_seeds = _effects(artifact, layer)[:, 0], len(artifact.coords("seed"))
    return mean_rows(operator, layer, effects, n_seeds, "fig04a")


def mean_rows(
    operator: str,
    layer: int,
    effects: Float[np.ndarray, "prompt neuron"],
    n_seeds: int,
    figure: str,
) -> pd.DataFrame:
    """Rows of one operator (`COLUMNS`): means over prompts, their intervals, what is labelled.

    The prompts are the same for every seed, one seed after the other; none without prompts.
    """
    if not len(effects):
        return pd.DataFrame(columns=COLUMNS)
    values = np.nan_to_num(effects).astype(np.float64)
    nested = values.reshape(n_seeds, len(values) // n_seeds, -1)
    interval = nested_mean_interval(nested, generator(BOOTSTRAP_SEED, figure, operator))
    return effect_rows(operator, layer, values.mean(axis=0), interval, nested.shape[1])


def effect_rows(
    operator: str,
    layer: int,
    mean: Float[np.ndarray, " neuron"],
    interval: tuple[Float[np.ndarray, " neuron"], Float[np.ndarray, " neuron"]],
    n_prompts: int,
) -> pd.DataFrame:
    """Rows of one operator: the mean effect of every neuron of a layer (`COLUMNS`)."""
    labelled = np.zeros(len(mean), dtype=bool)
    labelled[np.argsort(-mean, kind="stable")[:N_LABELLED]] = True
    return pd.DataFrame(
        {
            "operator": operator,
            "layer": layer,
            "neuron": np.arange(len(mean)),
            "mean_effect": mean,
            "low": interval[0],
            "high": interval[1],
            "labelled": labelled,
            "n_prompts": n_prompts,
        }
    )


def draw_neuron_effects(
    table: pd.DataFrame, operators: Sequence[str], quantity: str = 'mean effect at "="'
) -> Figure:
    """Scatter of neuron index against mean effect (named ``quantity``), a panel an operator."""
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nno neuron was attributed")
        figure, panels = operator_panels(operators, 1.8)
        layer = int(table["layer"].iloc[0])
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows.empty:
                say(axes, "no correct prompts")
                continue
            _scatter(axes, rows, OPERATOR_COLOURS[operator])
            axes.set_xlabel(f"neuron of layer {layer}")
        figure.supylabel(quantity, fontsize="medium")
        figure.draw_without_rendering()
        for operator, axes in panels.items():
            _label(axes, table[(table["operator"] == operator) & table["labelled"].astype(bool)])
        return figure


def _scatter(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    neuron, effect = rows["neuron"].to_numpy(), rows["mean_effect"].to_numpy()
    axes.axhline(0, color="black", linewidth=0.4)
    axes.scatter(
        neuron,
        effect,
        s=5,
        color=colour,
        linewidths=0,
        alpha=0.8,
        rasterized=len(rows) > RASTER_FROM,
    )
    top = rows[rows["labelled"].astype(bool)]
    axes.vlines(top["neuron"], top["low"], top["high"], color=colour, linewidth=0.8)
    axes.margins(x=0.08, y=0.12)


def _label(axes: Axes, top: pd.DataFrame) -> None:
    """Write each neuron's number on a side of its point where it covers nothing but points.

    Needs the final layout, since whether two labels meet depends on it.
    """
    scale = 72 / axes.figure.dpi
    room = Bbox(axes.get_window_extent().get_points() * scale)
    placed: list[Bbox] = []
    top = top.sort_values("mean_effect", ascending=False)
    for neuron, effect in zip(top["neuron"], top["mean_effect"], strict=True):
        width = 72 * text_width(str(neuron), SMALL)
        x, y = axes.transData.transform((neuron, effect)) * scale
        boxes = {(dx, dy): _box(x + dx, y + dy, width) for dx, dy in _offsets(width)}
        free = [
            offset
            for offset, box in boxes.items()
            if not any(box.overlaps(other) for other in placed)
            and room.x0 <= box.x0
            and box.x1 <= room.x1
        ]
        offset = (free or list(boxes))[0]
        placed.append(boxes[offset])
        axes.annotate(
            str(neuron), (neuron, effect), xytext=offset, textcoords="offset points",
            va="center", fontsize=SMALL,
        )  # fmt: skip


def _offsets(width: float) -> list[tuple[float, float]]:
    """Places of a label's left end beside its point (points), the best first."""
    return [(3.0, 0.0), (-3.0 - width, 0.0), (-width / 2, SMALL), (-width / 2, -SMALL)]


def _box(left: float, middle: float, width: float) -> Bbox:
    return Bbox.from_bounds(left, middle - SMALL / 2, width, SMALL)
