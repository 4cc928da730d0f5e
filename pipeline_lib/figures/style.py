"""The one style of all figures, and how a drawn figure is written.

Sizes are final: a figure is drawn at the width of one or two columns of a paper, so its letters
are the size they will be printed. Nothing global changes when this module is imported.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.stimuli.arithmetic import OPERATORS

COLUMN = 3.35
PAGE = 6.9
"""Width of one column, and of the two of a page (inches)."""
MAX_HEIGHT = 9.0

SMALL = 6.0
MEDIUM = 7.0
"""Letter sizes (points); nothing is smaller than SMALL."""

# Okabe and Ito's palette: told apart with any colour vision, and of different lightness
OPERATOR_COLOURS = {"add": "#0072B2", "sub": "#D55E00", "mul": "#009E73", "div": "#CC79A7"}
OPERATOR_MARKERS = {"add": "o", "sub": "s", "mul": "^", "div": "D"}
OPERATOR_TITLES = {
    "add": "addition",
    "sub": "subtraction",
    "mul": "multiplication",
    "div": "division",
}
NEUTRAL = "#6E6E6E"
MISSING = "#DDDDDD"
ACCENT = "#000000"
SEQUENTIAL = "YlGnBu"
DIVERGING = "RdBu_r"

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": MEDIUM,
    "axes.titlesize": MEDIUM,
    "axes.labelsize": MEDIUM,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "figure.titlesize": MEDIUM,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.0,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "image.interpolation": "nearest",
    # letters as wide on the screen as in print, so that what is measured fits
    "text.hinting": "none",
    "savefig.bbox": None,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
}
# no dates and no versions: the same numbers give the same bytes
METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Drawn:
    """A figure and the table of the numbers it shows."""

    figure: Figure
    table: pd.DataFrame


@contextmanager
def style() -> Iterator[None]:
    """The project's style inside the block, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Figure of a size in inches that belongs to no window; call it within `style`."""
    return Figure(figsize=(width, height))


def save_figure(drawn: Drawn, outputs: Mapping[str, str], dpi: int) -> None:
    """Write a figure as "pdf" and "png" and its table as "csv", each whole or not at all.

    The same figure gives the same bytes. The figure is closed: it cannot be drawn again. Raises
    DiskError when the folder cannot be written.
    """
    with style(), _quiet_fonts():
        for kind, metadata in METADATA.items():
            with store.atomic_path(outputs[kind]) as temporary:
                drawn.figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata)
    store.write_table(outputs["csv"], drawn.table)
    drawn.figure.clear()


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Keep the font library from reporting every table it leaves out of a PDF."""
    logger = logging.getLogger("fontTools")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def operator_title(operator: str) -> str:
    """Name and sign of an operator for the head of a panel."""
    return f"{OPERATOR_TITLES[operator]} ({OPERATORS[operator].sign})"


def operator_panels(
    operators: Sequence[str], height: float, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """One panel an operator, side by side on a page's width (one alone: a column's), titled."""
    figure = new_figure(PAGE if len(operators) > 1 else COLUMN, height)
    grid = figure.subplots(1, len(operators), squeeze=False, **options)
    panels = dict(zip(operators, grid[0], strict=True))
    for operator, axes in panels.items():
        axes.set_title(operator_title(operator))
    return figure, panels


def accuracy_limits(lowest: float) -> tuple[float, float]:
    """Ends of an accuracy axis that shows ``lowest`` and 1, from a multiple of a tenth."""
    bottom = min(np.floor(10 * lowest) / 10, 0.9)
    margin = 0.05 * (1 - bottom)
    return float(bottom - margin), 1 + margin


def say(axes: Axes, text: str, colour: str = NEUTRAL) -> None:
    """Words in the place of an empty panel; its title stays."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center",
        fontsize=SMALL, color=colour, linespacing=1.4,
    )  # fmt: skip


def message_figure(text: str, width: float = COLUMN) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = new_figure(width, 1.0)
    say(figure.subplots(), text)
    return figure


def colour_map(name: str) -> Colormap:
    """Colour map in which places without a value are grey."""
    return matplotlib.colormaps[name].with_extremes(bad=MISSING)


def ink_on(colour: Sequence[float] | np.ndarray) -> str:
    """Black or white, whichever can be read on a colour (red, green, blue in 0..1)."""
    luminance = float(np.dot([0.299, 0.587, 0.114], colour[:3]))
    return "black" if luminance > 0.55 else "white"


def panel_letter(place: int) -> str:
    """Letter of the panel at a place: a, b, c, ..."""
    return "abcdefghijklmnopqrstuvwxyz"[place]
