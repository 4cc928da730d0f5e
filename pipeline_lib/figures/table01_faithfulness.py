"""Table 1: faithfulness of each operator's circuit of heads (paper table 1; definitions 5)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from pipeline_lib.figures.circuit_tests import P_COLUMNS, p_values, read_tests
from pipeline_lib.figures.faithfulness_curves import (
    BOOTSTRAP_SEED,
    COLUMNS,
    NOTHING,
    by_prompt,
    read_faithfulness,
    tabulate_curve,
)
from pipeline_lib.figures.style import OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure
from pipeline_lib.measures.faithfulness import curve_areas
from pipeline_lib.rng import generator
from pipeline_lib.stats import resampled_means

AREAS = ("cpr", "cmd")
AREA_COLUMNS = [f"{area}{end}" for area in AREAS for end in ("", "_low", "_high")]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table from the faithfulness of every operator's circuits, and of random ones."""
    circuits, curves = (read_faithfulness(inputs, operators, c) for c in ("circuit", "heads"))
    tests = read_tests(inputs, operators)
    parts = [
        tabulate_curve(op, circuits[op], "table01").assign(
            **areas(op, curves[op]), **p_values(tests[op])
        )
        for op in operators
    ]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_faithfulness(table), table[[*COLUMNS, *AREA_COLUMNS, *P_COLUMNS]])


def areas(operator: str, rows: pd.DataFrame) -> dict[str, float]:
    """CPR and CMD of the curve over heads, with their 95 % bootstrap intervals over prompts.

    They are those of the mean curve; an interval's ends come from the mean curves of resampled
    prompts. Prompts with an undefined faithfulness are left out; NaN without others.
    """
    values = by_prompt(rows, "faithfulness") if len(rows) else np.empty((0, 0))
    values = values[~np.isnan(values).any(axis=1)]
    if not len(values):
        return dict.fromkeys(AREA_COLUMNS, np.nan)
    sizes = np.unique(rows["size"].to_numpy())
    again = resampled_means(values, generator(BOOTSTRAP_SEED, "areas", operator))
    found = zip(
        AREAS, curve_areas(sizes, values.mean(axis=0)), curve_areas(sizes, again), strict=True
    )
    return {
        f"{name}{end}": float(value)
        for name, area, resampled in found
        for end, value in zip(
            ("", "_low", "_high"), (area, *np.quantile(resampled, [0.025, 0.975])), strict=True
        )
    }


def draw_faithfulness(table: pd.DataFrame) -> Figure:
    """The table at the width of a page; intervals in brackets."""
    cells = pd.DataFrame(
        {
            "operator": table["operator"].map(OPERATOR_TITLES),
            "heads": table["size"].astype(str),
            "faithfulness": _with_ends(table, "faithfulness", "low", "high"),
            "ratio of means": _numbers(table["ratio_of_means"]),
            "accuracy": _numbers(table["accuracy"]),
            "KL (nats)": _numbers(table["kl"]),
            "CPR": _with_ends(table, "cpr", "cpr_low", "cpr_high"),
            "CMD": _with_ends(table, "cmd", "cmd_low", "cmd_high"),
            "p, any": _p_values(table["p_any"]),
            "p, layers": _p_values(table["p_layer"]),
            "prompts": table["n_prompts"].astype(str),
            "undefined": table["n_undefined"].astype(str),
        }
    )
    with style():
        right = tuple(cells.columns[1:])
        return table_figure(cells, width=PAGE, right=right, empty=NOTHING.replace("\n", " "))


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _numbers(values: pd.Series) -> list[str]:
    return [_number(value) for value in values.to_numpy(dtype=np.float64)]


def _p_values(values: pd.Series) -> list[str]:
    return ["–" if np.isnan(p) else f"{p:.3f}" for p in values.to_numpy(dtype=np.float64)]


def _with_ends(table: pd.DataFrame, *names: str) -> list[str]:
    """Mean and interval of every row, one number where the mean is undefined."""
    values: Float[np.ndarray, "row 3"] = table[list(names)].to_numpy(dtype=np.float64)
    return [
        _number(mean) if np.isnan(mean) else f"{mean:.2f} [{low:.2f}, {high:.2f}]"
        for mean, low, high in values
    ]
