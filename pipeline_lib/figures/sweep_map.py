"""Heat map of a sweep: layers upward, positions or components to the right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from pipeline_lib.figures.style import DIVERGING, PAGE, colour_map, message_figure, new_figure, say

MOST_TICKS = 40
LETTER = 0.075
"""Width of a letter of a tick (inches)."""


@dataclass(frozen=True)
class Panel:
    """One heat map: its rows of a sweep's table, title, and the column that goes to the right."""

    table: pd.DataFrame
    title: str
    across: str = "position"

    @property
    def names(self) -> list[str]:
        """What lies side by side, in the table's order."""
        return [str(name) for name in dict.fromkeys(self.table[self.across])]

    @property
    def layers(self) -> list[int]:
        """Layers of the rows, lowest first."""
        return sorted({int(layer) for layer in self.table["layer"]})

    def grid(self, column: str) -> Float[np.ndarray, "layer place"]:
        """One column of the table as an image; NaN where there is no row."""
        wide = self.table.pivot_table(
            index="layer", columns=self.across, values=column, aggfunc="first", dropna=False
        )
        return wide.reindex(index=self.layers, columns=self.names).to_numpy(np.float64)


def draw_sweep(
    panels: Sequence[Panel], label: str, *, limit: float | None = None, nothing: str = ""
) -> Figure:
    """Panels side by side on one scale around 0, within the `style`; crosses mark cells whose
    interval holds 0.

    ``label`` says what colours mean, ``limit`` is the end of their scale (the largest effect by
    default), ``nothing`` is said where no panel has a number.
    """
    shown = [panel for panel in panels if len(panel.table)]
    if not shown or not any(np.isfinite(panel.table["effect"]).any() for panel in shown):
        return message_figure(nothing or "nothing was measured", PAGE)
    end = limit or max(float(np.nanmax(np.abs(panel.table["effect"]))) for panel in shown) or 1.0
    n_layers = max(len(panel.layers) for panel in shown)
    deepest = max(len(name) for panel in shown for name in panel.names)
    height = float(np.clip(0.95 + 0.11 * n_layers, 1.9, 5.5)) + LETTER * min(deepest, 18)
    figure = new_figure(PAGE, height)
    widths = [max(len(panel.names), 4) for panel in panels]
    axes = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
    image = None
    for place, panel in zip(axes, panels, strict=True):
        place.set_title(panel.title)
        if len(panel.table):
            image = draw_panel(place, panel, end)
        else:
            say(place, "not measured")
    axes[0].set_ylabel("layer")
    assert image is not None
    figure.colorbar(image, ax=axes, label=label, fraction=0.05, pad=0.015, aspect=30)
    return figure


def draw_panel(axes: Axes, panel: Panel, end: float) -> AxesImage:
    """One heat map with its ticks and crosses."""
    image = axes.imshow(
        panel.grid("effect"),
        cmap=colour_map(DIVERGING),
        vmin=-end,
        vmax=end,
        origin="lower",
        aspect="auto",
    )
    names, layers = panel.names, panel.layers
    ticks = spaced(len(names))
    turned = max(len(names[i]) for i in ticks) > 3 or len(names) > 16
    axes.set_xticks(
        ticks, [names[i] for i in ticks], rotation=90 if turned else 0, fontfamily="monospace"
    )
    rows = spaced(len(layers), 16)
    axes.set_yticks(rows, [str(layers[i]) for i in rows])
    mark_uncertain(axes, panel)
    return image


def mark_uncertain(axes: Axes, panel: Panel) -> None:
    """Small crosses where the 95 % interval holds 0."""
    low, high = panel.grid("low"), panel.grid("high")
    row, column = np.nonzero((low <= 0) & (high >= 0))
    size = float(np.clip(160 / max(low.shape), 0.6, 6.0))
    axes.scatter(column, row, marker="x", s=size, linewidths=0.35, color="#666666")


def spaced(n: int, most: int = MOST_TICKS) -> list[int]:
    """Places of ticks: every one, or every k-th where they would not fit."""
    return list(range(0, n, int(np.ceil(n / most)) or 1))
