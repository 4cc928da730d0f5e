"""Whether the model tells the sentences apart, as a table."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.figures.style import Drawn, style
from pipeline_lib.figures.table import table_figure
from pipeline_lib.findings.words import between, decimal, p_value, percent

ROWS = {
    "source": "mean log-ratio of TRUE to FALSE, with power (nats)",
    "base": "the same, without power",
    "difference": "difference within a pair: right if above 0",
    "p": "p of the difference (two-sided, sign flips)",
    "ordered": "pairs in the right order",
    "source_true": "sentences with power that are answered TRUE",
    "base_false": "sentences without power that are answered FALSE",
    "mass": "probability of all variants of both answers",
}
SHARES = ("ordered", "source_true", "base_false", "mass")


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The table from the baselines."""
    table = store.read_table(inputs["baselines"], ["measure", "value", "low", "high", "n"])
    table = table.set_index("measure").loc[list(ROWS)].reset_index()
    cells = pd.DataFrame([_cells(row) for row in table.to_dict("records")])
    with style():
        return Drawn(
            table_figure(cells, width=5.0, right=["value", "95 % interval", "pairs"]), table
        )


def _cells(row: dict[str, Any]) -> dict[str, str]:
    name = row["measure"]
    if name == "p":
        value, ends = p_value(row["value"]), ""
    elif name in SHARES:
        value, ends = percent(row["value"]), f"[{percent(row['low'])}, {percent(row['high'])}]"
    else:
        value, ends = decimal(row["value"], 3), between(row["low"], row["high"], 3)
    ends = ends if np.isfinite(row["low"]) else ""
    return {"measure": ROWS[name], "value": value, "95 % interval": ends, "pairs": str(row["n"])}
