"""One pair, token by token: MLP outputs, patched one at a time."""

from typing import Any

from pipeline_lib.figures.power.pair_map import make_pair
from pipeline_lib.figures.style import Drawn


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The heat map from the sweep, the tokens and the pairs."""
    return make_pair(inputs)
