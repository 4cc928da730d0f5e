"""The published values of the reference model beside what the run found."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.style import PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

READ = ["quantity", "of", "expected", "found", "tolerance", "within"]
NAMES = {
    "token_id": "token id",
    "p_x": "P(X) after the order",
    "drift": "drift without heads",
    "mae": "MAE without heads",
    "drift_reduction": "drift taken away by",
}


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The table of a model's published values; without rows where there are none."""
    table = store.read_table(inputs["published"], READ)
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Expected, found, and whether it is within the tolerance."""
    cells = pd.DataFrame(
        {
            "quantity": table["quantity"].map(NAMES),
            "of": table["of"].fillna("none").replace("", "none"),
            "expected": table["expected"].map("{:.6g}".format),
            "found": table["found"].map("{:.6g}".format),
            "tolerance": table["tolerance"].map("{:g}".format),
            "within": table["within"].map({True: "yes", False: "NO"}),
        }
    )
    with style():
        return table_figure(
            cells,
            width=PAGE,
            right=("expected", "found", "tolerance"),
            empty="Nothing is published for this model.",
        )
