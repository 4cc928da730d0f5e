"""Table 2: the attention heads of each operator's circuit (paper table 2; definitions 9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.circuits.ranking import Head, prompt_effects
from pipeline_lib.figures.fig02_localization import MIN_MEAN
from pipeline_lib.figures.reading import (
    Effects,
    finite_mean,
    one_per_operator,
    per_operator,
    read_effects,
)
from pipeline_lib.figures.style import COLUMN, OPERATOR_TITLES, Drawn, style
from pipeline_lib.figures.table import table_figure
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

COLUMNS = ["operator", "rank", "head", "mean", "log1p", "low", "high", "n_prompts", "source"]
BOOTSTRAP_SEED = 0


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table from the effects of every operator and seed, and the circuits that were chosen."""
    table = tabulate_circuits(inputs, operators)
    return Drawn(draw_heads(table), table)


def tabulate_circuits(inputs: dict[str, Any], operators: Sequence[str]) -> pd.DataFrame:
    """The heads of every operator's circuit (`COLUMNS`), read from "effects" and "circuits"."""
    files = per_operator(inputs, "effects", operators)
    circuits = one_per_operator(inputs, "circuits", operators)
    parts = [
        tabulate_heads(op, read_effects(paths), store.read_table(circuits[op], ["head", "source"]))
        for op, paths in files.items()
    ]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def tabulate_heads(operator: str, effects: Effects, circuit: pd.DataFrame) -> pd.DataFrame:
    """The circuit's heads with their mean effect over prompts, seeds and positions (`COLUMNS`).

    ``circuit`` has their names and how they were chosen (source): named in the config, the largest
    means ("ranked"), or the fewest of these that are faithful ("auto"). low, high: 95 % bootstrap
    interval over prompts.
    """
    by_prompt = prompt_effects([seed[..., :-1] for seed in effects.seeds])
    if not len(by_prompt):
        return pd.DataFrame(columns=COLUMNS)
    mean = finite_mean(by_prompt)
    heads = [Head.from_name(name) for name in circuit["head"]]
    columns = [[head.layer for head in heads], [head.head for head in heads]]
    layer, head = (np.array(column, dtype=np.int64) for column in columns)
    values = np.nan_to_num(by_prompt[:, layer, head])
    low, high = bootstrap_mean_interval(values, generator(BOOTSTRAP_SEED, "table02", operator))
    return pd.DataFrame(
        {
            "operator": operator,
            "rank": np.arange(1, len(heads) + 1),
            "head": [head.name for head in heads],
            "mean": mean[layer, head],
            "log1p": [_log(value) for value in mean[layer, head]],
            "low": low,
            "high": high,
            "n_prompts": len(by_prompt),
            "source": circuit["source"].to_numpy(),
        }
    )


def _log(mean: float) -> float:
    """log(1 + mean) of a mean effect, which is at least -1."""
    return float(np.log1p(max(mean, MIN_MEAN)))


def draw_heads(table: pd.DataFrame) -> Figure:
    """The table at the width of a column; the effects and intervals as log(1 + mean)."""
    cells = pd.DataFrame(
        {
            "operator": table["operator"].map(OPERATOR_TITLES),
            "rank": table["rank"].astype(str),
            "head": table["head"],
            "log(1 + IE)": [f"{value:.2f}" for value in table["log1p"]],
            "95 % interval": [
                f"{_log(low):.2f} to {_log(high):.2f}"
                for low, high in zip(table["low"], table["high"], strict=True)
            ],
            "source": table["source"],
        }
    )
    with style():
        return table_figure(
            cells, width=COLUMN, right=("rank", "log(1 + IE)"), group="operator",
            empty="no operator has correct prompts: no effect was measured",
        )  # fmt: skip
