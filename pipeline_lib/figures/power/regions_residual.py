"""Mean over pairs, aligned by region: residuals leaving each layer, patched one at a time."""

from typing import Any

from pipeline_lib.figures.power.region_lines import make_regions
from pipeline_lib.figures.style import Drawn


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The lines from the table of the sweep by region."""
    return make_regions(inputs)
