"""What the study's figures share: titles, colours, bands and heat maps on a given scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from pipeline_lib.figures.style import DIVERGING, colour_map
from pipeline_lib.figures.sweep_map import spaced

TEMPLATE_TITLES = {
    "base": "base",
    "independent": "independent",
    "order_irrelevant": "order irrelevant",
}
TEMPLATE_COLOURS = {"base": "#0072B2", "independent": "#D55E00", "order_irrelevant": "#009E73"}
MODEL = "#D55E00"


def band(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, ends: Sequence[str], colour: str, **line: Any
) -> None:
    """A line with its interval."""
    low, high = (rows[name].to_numpy(np.float64) for name in ends)
    axes.fill_between(rows[x], low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(rows[x], rows[y], color=colour, **line)


def heat(
    axes: Axes, values: Float[np.ndarray, "row column"], end: float, labels: Sequence[str]
) -> AxesImage:
    """Values on a scale around 0 that ends at ``end``; rows upward, one label for every column."""
    image = axes.imshow(
        values,
        cmap=colour_map(DIVERGING),
        vmin=-end,
        vmax=end,
        origin="lower",
        aspect="auto",
    )
    ticks = spaced(len(labels))
    axes.set_xticks(ticks, [labels[i] for i in ticks])
    return image


def head_name(layer: int, component: str) -> str:
    """Name of a head in figures: L3 H7."""
    return f"L{layer} H{component.removeprefix('head_')}"


def interval(value: float, low: float, high: float, places: int = 2) -> str:
    """A number with its interval, for tables."""
    if not np.isfinite(value):
        return "–"
    numbers = [f"{x:.{places}f}".replace("-", "−") for x in (value, low, high)]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"
