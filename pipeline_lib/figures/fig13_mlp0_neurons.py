"""Figure 13: neurons of the first MLP against the number they read (definitions 9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import (
    ATTRIBUTION_KIND,
    MLP0_KIND,
    neuron_name,
    one_per_operator,
    paths,
)
from pipeline_lib.figures.style import (
    OPERATOR_COLOURS,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    panel_letter,
    style,
)

N_NEURONS = 3
INPUT_POSITIONS = ("operand1", "operator", "operand2")
COLUMNS = ["rank", "neuron", "importance", "number", "activation"]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from MLP0's activations on numbers and the attribution of every operator."""
    importance = mlp0_importance(list(one_per_operator(inputs, "attribution", operators).values()))
    with store.open_artifact(paths(inputs["mlp0"])[0], MLP0_KIND) as artifact:
        activation, numbers = artifact.read("activation"), artifact.coords("number")
    table = tabulate_neurons(importance, activation, numbers)
    return Drawn(draw_neurons(table), table)


def mlp0_importance(files: Sequence[str]) -> np.ndarray | None:
    """Importance [neuron] of MLP0: mean over positions 1..3, prompts and operators with prompts.

    NaN effects count as 0 (definitions 3). None when no operator has prompts.
    """
    means = []
    for path in files:
        with store.open_artifact(path, ATTRIBUTION_KIND) as artifact:
            if not artifact.dataset("neurons_last").shape[0]:
                continue
            names = [str(name) for name in artifact.coords("position")]
            places = [names.index(name) for name in INPUT_POSITIONS]
            first_layer = artifact.read("neurons_mean", (slice(None), 0))[places]
            means.append(np.nan_to_num(first_layer.astype(np.float64)).mean(axis=0))
    return np.mean(means, axis=0) if means else None


def tabulate_neurons(
    importance: np.ndarray | None, activation: np.ndarray, numbers: np.ndarray
) -> pd.DataFrame:
    """Activation [number, neuron] of the most important neurons (`COLUMNS`), the first rank 1."""
    if importance is None:
        return pd.DataFrame(columns=COLUMNS)
    chosen = np.argsort(-importance, kind="stable")[:N_NEURONS]
    parts = [
        pd.DataFrame(
            {
                "rank": rank + 1,
                "neuron": neuron,
                "importance": importance[neuron],
                "number": numbers,
                "activation": activation[:, neuron],
            }
        )
        for rank, neuron in enumerate(chosen)
    ]
    return pd.concat(parts, ignore_index=True)


def draw_neurons(table: pd.DataFrame) -> Figure:
    """A panel a neuron: activation against the number."""
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nno neuron could be ranked")
        figure = new_figure(PAGE, 1.8)
        groups = list(table.groupby("rank"))
        grid = figure.subplots(1, len(groups), squeeze=False)
        for place, (axes, (_, rows)) in enumerate(zip(grid[0], groups, strict=True)):
            _panel(axes, rows, panel_letter(place))
        grid[0, 0].set_ylabel("activation on [BOS, n]")
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, letter: str) -> None:
    axes.axhline(0, color="black", linewidth=0.4)
    axes.plot(rows["number"], rows["activation"], color=OPERATOR_COLOURS["add"], linewidth=0.8)
    name = neuron_name(0, int(rows["neuron"].iloc[0]))
    axes.set_title(f"{letter}  {name}, importance {rows['importance'].iloc[0]:.3f}")
    axes.set_xlabel("number n")
    axes.margins(x=0.01)
