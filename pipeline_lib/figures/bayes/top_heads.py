"""The heads whose patches recover most, beside their control."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import COST_COLUMNS, PAIR_COLUMNS
from pipeline_lib.bayes.ranking import rank_heads
from pipeline_lib.figures.bayes.heads import NOTHING, READ
from pipeline_lib.figures.bayes.parts import head_name, interval
from pipeline_lib.figures.style import PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

READ_TOP = [*READ, "metric_before", "metric_after"]


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The table from the sweep, its control, what became of the pairs, and the costs."""
    heads, control = (store.read_table(inputs[name], READ_TOP) for name in ("heads", "control"))
    pairs = store.read_table(inputs["pairs"], PAIR_COLUMNS)
    costs = store.read_table(inputs["costs"], COST_COLUMNS)
    table = rank_heads(heads, control, settings["top"])
    return Drawn(draw(table, remark(pairs, costs)), table)


def remark(pairs: pd.DataFrame, costs: pd.DataFrame) -> str:
    """Pairs left out, and what the sweeps cost."""
    found = pairs["status"].value_counts()
    counts = [int(found.get(name, 0)) for name in ("swept", "near_zero", "against")]
    floor = f"{pairs['floor'].iloc[0]:.2g}" if len(pairs) else "–"
    patches = int(costs["patches"].sum())
    times = costs["loop_token_layers"].sum() / max(costs["token_layers"].sum(), 1)
    return (
        f"{counts[0]} pairs patched; left out: {counts[1]} whose log-odds differ by at most {floor}"
        f" nat, {counts[2]} against the evidence. {patches:,} patches at 1/{times:.1f} of a"
        " loop's cost."
    )


def draw(table: pd.DataFrame, text: str) -> Figure:
    """One row for each head."""
    rows = [
        {
            "rank": str(rank + 1),
            "head": head_name(row["layer"], row["component"]),
            "recovery": interval(row["effect"], row["low"], row["high"], 3),
            "control: another order": interval(
                row["control_effect"], row["control_low"], row["control_high"], 3
            ),
            "log-odds before": f"{row['metric_before']:.2f}".replace("-", "−"),
            "after": f"{row['metric_after']:.2f}".replace("-", "−"),
            "pairs": str(int(row["n"])),
        }
        for rank, (_, row) in enumerate(table.iterrows())
    ]
    names = ["rank", "head", "recovery", "control: another order", "log-odds before", "after"]
    cells = pd.DataFrame(rows, columns=[*names, "pairs"])
    with style():
        right = [name for name in cells if name != "head"]
        return table_figure(cells, width=PAGE, right=right, empty=NOTHING, remark=text)
