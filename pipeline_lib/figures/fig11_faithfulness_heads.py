"""Figure 11: faithfulness of all MLPs with more and more heads (definitions 5)."""

from collections.abc import Sequence
from typing import Any

from pipeline_lib.figures.faithfulness_curves import draw_curves, tabulate_curves
from pipeline_lib.figures.style import Drawn


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the faithfulness of every operator's circuits."""
    table = tabulate_curves(inputs, operators, "heads", "fig11")
    circuits = tabulate_curves(inputs, operators, "circuit", "table01")
    label = "attention heads kept, with all MLPs"
    return Drawn(draw_curves(table, operators, x="size", label=label, circuits=circuits), table)
