"""Heat maps of sweeps in rows, on one scale."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.figures.style import PAGE, message_figure, new_figure, say
from pipeline_lib.figures.sweep_map import Panel, draw_panel


def draw_rows(
    rows: Sequence[Sequence[Panel]], label: str, *, limit: float, row_height: float, title: str
) -> Figure:
    """Rows of heat maps (within the `style`); colours end at ±``limit``."""
    if not any(len(panel.table) for row in rows for panel in row):
        return message_figure("nothing was measured", PAGE)
    figure = new_figure(PAGE, 0.75 + row_height * len(rows))
    figure.suptitle(title)
    columns = max(map(len, rows))
    widths = [max(len(row[i].names) for row in rows if i < len(row)) for i in range(columns)]
    grid = figure.subplots(
        len(rows), columns, squeeze=False, width_ratios=[max(w, 3) for w in widths]
    )
    image = None
    for line, row in zip(grid, rows, strict=True):
        for axes, panel in zip(line, row, strict=False):
            axes.set_title(panel.title)
            if len(panel.table):
                image = draw_panel(axes, panel, limit)
            else:
                say(axes, "not measured")
        for axes in line[len(row) :]:
            axes.set_axis_off()
        line[0].set_ylabel("layer")
    assert image is not None
    every = pd.concat([panel.table["effect"] for row in rows for panel in row])
    beyond = "both" if every.abs().max() > limit else "neither"
    figure.colorbar(image, ax=grid, label=label, fraction=0.05, pad=0.015, aspect=30, extend=beyond)
    return figure


def scale_of(table: pd.DataFrame, share: float = 0.98) -> float:
    """End of a scale that all but the few largest effects fit."""
    effects = table["effect"].abs().to_numpy(np.float64)
    effects = effects[np.isfinite(effects)]
    return float(np.quantile(effects, share)) if len(effects) and effects.any() else 1.0
