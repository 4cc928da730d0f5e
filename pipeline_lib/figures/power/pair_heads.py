"""One pair, token by token: heads with the largest effects, patched one at a time."""

from typing import Any

from pipeline_lib.figures.power.pair_map import MOST_ROWS, make_pair
from pipeline_lib.figures.style import Drawn


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The heat map from the sweep, the tokens and the pairs."""
    return make_pair(inputs, MOST_ROWS)
