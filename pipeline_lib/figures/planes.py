"""Maps over the operand plane as pictures: which part is drawn, and how finely.

A picture has at most 100 x 100 cells. Heuristics that are smooth (ranges, sets of results) are
drawn over the whole plane, each cell the mean of a square of prompts. Fine ones (remainders,
digits, single values) would be blurred or faked by such means: they are drawn unbinned, in a
window of 100 x 100.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from pipeline_lib.figures.style import DIVERGING, colour_map
from pipeline_lib.heuristics.types import Heuristic

CELLS = 100
COARSE_TYPES = ("range", "multi_value")
MIN_FILLED = 0.25
"""Planes with a smaller share of valid prompts (multiplication) are drawn as a window too."""


@dataclass(frozen=True)
class Frame:
    """A square of the operand plane in square cells: first operands, cells a side, cell size."""

    a: int
    b: int
    cells: int
    step: int

    def as_tuple(self) -> tuple[int, int, int, int]:
        """First operands, cells a side, cell size."""
        return self.a, self.b, self.cells, self.step

    def holds(self, a: np.ndarray, b: np.ndarray) -> Bool[np.ndarray, " prompt"]:
        """Whether prompts lie in the frame."""
        size = self.cells * self.step
        return (a >= self.a) & (a < self.a + size) & (b >= self.b) & (b < self.b + size)


def choose_frame(
    heuristic: Heuristic, prompts: pd.DataFrame, inside: tuple[int, int] | None = None
) -> Frame:
    """The frame in which a heuristic can be seen, around the prompt ``inside`` (a, b) if given.

    A window starts at a multiple of 100 and is the one with most prompts of the heuristic.
    """
    a, b = prompts["a"].to_numpy(), prompts["b"].to_numpy()
    low, high = int(min(a.min(), b.min())) // CELLS * CELLS, int(max(a.max(), b.max())) + 1
    extent = high - low
    if extent <= CELLS:
        return Frame(low, low, extent, 1)
    filled = len(prompts) / extent**2 >= MIN_FILLED
    if heuristic.type_name in COARSE_TYPES and filled:
        step = -(-extent // CELLS)
        return Frame(low, low, -(-extent // step), step)
    if inside:
        return Frame(inside[0] // CELLS * CELLS, inside[1] // CELLS * CELLS, CELLS, 1)
    member = heuristic.members(prompts)
    corners = np.stack([a, b], axis=1)[member] // CELLS * CELLS
    found, counts = np.unique(corners, axis=0, return_counts=True)
    first_a, first_b = found[counts.argmax()] if len(found) else (low, low)
    return Frame(int(first_a), int(first_b), CELLS, 1)


def cell_means(
    prompts: pd.DataFrame, values: Float[np.ndarray, " prompt"], frame: Frame
) -> pd.DataFrame:
    """Mean value of the prompts in every cell that has one: columns a, b (lowest), value."""
    a, b = prompts["a"].to_numpy(), prompts["b"].to_numpy()
    held = frame.holds(a, b)
    cells = pd.DataFrame(
        {
            "a": (a[held] - frame.a) // frame.step * frame.step + frame.a,
            "b": (b[held] - frame.b) // frame.step * frame.step + frame.b,
            "value": values[held].astype(np.float64),
        }
    )
    means = cells.groupby(["a", "b"], as_index=False)["value"].mean()
    return means.astype({"value": np.float32})


def picture(cells: pd.DataFrame, frame: Frame) -> Float[np.ndarray, "b a"]:
    """The cells as an array, operand 2 along the rows; NaN where there is no valid prompt."""
    image = np.full((frame.cells, frame.cells), np.nan)
    rows = (cells["b"].to_numpy() - frame.b) // frame.step
    columns = (cells["a"].to_numpy() - frame.a) // frame.step
    image[rows, columns] = cells["value"].to_numpy()
    return image


def show_map(
    axes: Axes, cells: pd.DataFrame, frame: Frame, *, colours: str = DIVERGING, top: float = 0.0
) -> AxesImage:
    """Draw a map; diverging colours are centred at 0 and reach ``top`` (0: the largest size)."""
    image = picture(cells, frame)
    top = top or (float(np.nanmax(np.abs(image))) if len(cells) else 0.0) or 1.0
    size = frame.cells * frame.step
    extent = (frame.a - 0.5, frame.a + size - 0.5, frame.b - 0.5, frame.b + size - 0.5)
    drawn = axes.imshow(
        image,
        origin="lower",
        extent=extent,
        cmap=colour_map(colours),
        vmin=-top if colours == DIVERGING else 0.0,
        vmax=top,
    )
    label_operands(axes, frame)
    return drawn


def label_operands(axes: Axes, frame: Frame) -> None:
    """Ticks at the ends and the middle of both operands."""
    size = frame.cells * frame.step
    ticks = np.array([0, size // 2, size - 1])
    axes.set_xticks(frame.a + ticks)
    axes.set_yticks(frame.b + ticks)
    axes.set_xlabel("operand 1")
    axes.set_ylabel("operand 2")
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
