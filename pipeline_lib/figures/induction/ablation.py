"""What ablating each head does to the drift over orders, and to the error against a counter."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.style import DIVERGING, PAGE, SMALL, Drawn, colour_map, new_figure, style
from pipeline_lib.figures.sweep_map import Panel, draw_panel
from pipeline_lib.induction.kinds import KINDS

READ = ["kind", "measure", "layer", "component", "effect", "low", "high", "of_symbols", "rank"]
ROWS = {
    "drift": "drift of P(X) taken away",
    "logit_drift": "drift of logits taken away",
    "mae": "MAE to a counter added",
}
MOST_WRITTEN = 40


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the ablation sweep of a model."""
    table = store.read_table(inputs["ablation"], READ)
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Rows: drift of P(X), of the logit difference, error; columns: kinds of ablation.

    Layers go upward, heads to the right.
    """
    with style():
        n_layers, n_heads = table["layer"].nunique(), table["component"].nunique()
        figure = new_figure(PAGE, 0.5 + len(ROWS) * (0.35 + max(0.6, min(0.2 * n_layers, 3.0))))
        grid = figure.subplots(len(ROWS), len(KINDS), squeeze=False)
        for line, (measure, label) in zip(grid, ROWS.items(), strict=True):
            rows = table[table["measure"] == measure]
            end = float(np.nanmax(np.abs(rows["effect"]))) or 1.0
            image = None
            for axes, kind in zip(line, KINDS, strict=True):
                part = rows[rows["kind"] == kind].assign(
                    component=lambda found: found["component"].str.replace("head_", "H")
                )
                image = draw_panel(axes, Panel(part, kind, "component"), end)
                axes.set_title(f"{label}: {kind} ablation")
                if n_layers * n_heads <= MOST_WRITTEN:
                    _write(axes, part, end)
            line[0].set_ylabel("layer")
            assert image is not None
            figure.colorbar(image, ax=line, fraction=0.03, pad=0.015)
        return figure


def _write(axes: Any, rows: pd.DataFrame, end: float) -> None:
    """The numbers in the cells of a small map."""
    names, layers = list(dict.fromkeys(rows["component"])), sorted(set(rows["layer"]))
    scale = colour_map(DIVERGING)
    for row in rows.to_dict("records"):
        shade = scale(0.5 + row["effect"] / (2 * end))
        dark = np.dot([0.299, 0.587, 0.114], shade[:3]) < 0.5
        axes.text(
            names.index(row['component']), layers.index(row['layer']) + 0.12, _short(row['effect']),
            ha="center", va="bottom", fontsize=SMALL - 1, color="white" if dark else "black",
        )  # fmt: skip


def _short(value: float) -> str:
    text = f"{value:+.2f}"
    return "0" if float(text) == 0 else text.replace("-", "−")
