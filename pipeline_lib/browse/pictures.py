"""Pictures for a page: values over a plane in 255 levels, deflated, as text.

A value is ``low + (code - 1) * step`` with its code in 1..255; code 0 is a place without a value.
Half a step is the largest error, which the page states.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8

LEVELS = 255
PRECISION = (
    "Colours and values are stored in 255 levels: off by at most 0.2 % of the picture's range."
)


def pack_picture(values: Float[np.ndarray, "row column"], *, signed: bool) -> dict[str, Any]:
    """A picture as low, step and data (base64 of its deflated codes, row by row).

    NaN is no value. ``signed`` spreads the levels evenly around 0, which is then exact; else they
    reach from the smallest value to the largest.
    """
    low, high = _ends(values, signed)
    step = (high - low) / (LEVELS - 1)
    codes = np.zeros(values.shape, dtype=np.uint8)
    held = ~np.isnan(values)
    codes[held] = 1 + np.rint((values[held] - low) / (step or 1.0)).astype(np.uint8)
    return {"low": low, "step": step, "data": pack_codes(codes)}


def _ends(values: Float[np.ndarray, "row column"], signed: bool) -> tuple[float, float]:
    held = values[~np.isnan(values)].astype(np.float64)
    if not len(held):
        return 0.0, 0.0
    if signed:
        top = float(np.abs(held).max())
        return -top, top
    return float(held.min()), float(held.max())


def pack_codes(codes: UInt8[np.ndarray, "row column"]) -> str:
    """Bytes of an array, deflated (zlib), in base64."""
    return base64.b64encode(zlib.compress(codes.tobytes(), 6)).decode()


@dataclass(frozen=True)
class Plane:
    """The operand plane of some prompts: operand 2 along the rows, operand 1 along the columns."""

    first_a: int
    first_b: int
    n_a: int
    n_b: int
    place: np.ndarray
    """Flat place of every prompt."""

    @classmethod
    def of(cls, prompts: pd.DataFrame) -> "Plane":
        """The smallest plane that holds the prompts (columns a, b; at least one)."""
        a, b = (prompts[name].to_numpy(np.int64) for name in ("a", "b"))
        n_a, n_b = int(np.ptp(a)) + 1, int(np.ptp(b)) + 1
        first_a, first_b = int(a.min()), int(b.min())
        return cls(first_a, first_b, n_a, n_b, (b - first_b) * n_a + a - first_a)

    def picture(self, values: Float[np.ndarray, " prompt"]) -> Float[np.ndarray, "b a"]:
        """Values of the prompts on the plane, NaN where there is no prompt."""
        flat = np.full(self.n_a * self.n_b, np.nan)
        flat[self.place] = values
        return flat.reshape(self.n_b, self.n_a)

    def axes(self) -> dict[str, list[int]]:
        """First number and count of the columns (x) and rows (y), as a page needs them."""
        return {"x": [self.first_a, self.n_a], "y": [self.first_b, self.n_b]}
