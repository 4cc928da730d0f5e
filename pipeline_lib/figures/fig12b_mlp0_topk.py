"""Figure 12b: faithfulness against the neurons kept in the first MLP (definitions 5)."""

from collections.abc import Sequence
from typing import Any

from pipeline_lib.figures.faithfulness_curves import draw_curves, tabulate_curves, with_share
from pipeline_lib.figures.style import Drawn


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the faithfulness of every operator's circuits."""
    table = with_share(tabulate_curves(inputs, operators, "mlp0", "fig12b"))
    label = "neurons kept in the first MLP (%)"
    return Drawn(draw_curves(table, operators, x="percent", label=label, log=True), table)
