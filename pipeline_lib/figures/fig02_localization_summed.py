"""Figure 2, summed: indirect effect of every head and MLP over all patched positions.

log1p of the sum over positions of the mean over prompts, counterfactual seeds and operators.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from pipeline_lib.figures.fig02_localization import (
    MIN_MEAN,
    NOTHING,
    clipped_note,
    colour_bar,
    colour_limits,
    draw_heads,
    grid,
    heads_width,
    height_of,
    show,
)
from pipeline_lib.figures.reading import Effects, finite_mean, per_operator, read_effects
from pipeline_lib.figures.style import COLUMN, Drawn, message_figure, new_figure, style
from pipeline_lib.rng import generator
from pipeline_lib.stats import resampled_means

COLUMNS = ["layer", "component", "mean", "low", "high", "log1p", "n_operators", "n_prompts"]
BOOTSTRAP_SEED = 0


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the effects of every operator and seed."""
    files = per_operator(inputs, "effects", operators)
    table = tabulate_summed({op: read_effects(paths) for op, paths in files.items()})
    return Drawn(draw_summed(table), table)


def tabulate_summed(operators: dict[str, Effects]) -> pd.DataFrame:
    """Summed mean of every component, with the 95 % bootstrap interval over prompts (`COLUMNS`).

    Each operator with prompts weighs the same; an interval resamples the prompts within each.
    Values that are not finite are left out of the means; in the resamples they count as 0.
    """
    filled = {operator: effects for operator, effects in operators.items() if effects.n_prompts}
    if not filled:
        return pd.DataFrame(columns=COLUMNS)
    first = next(iter(filled.values()))
    mean = finite_mean(np.stack([summed_mean(effects) for effects in filled.values()]))
    low, high = np.quantile(_resampled(filled), [0.025, 0.975], axis=0)
    index = pd.MultiIndex.from_product([first.layers, first.components],
                                       names=["layer", "component"])  # fmt: skip
    values = {"mean": mean.ravel(), "low": low.ravel(), "high": high.ravel()}
    table = pd.DataFrame(values, index=index).reset_index()
    table["log1p"] = np.log1p(np.maximum(table["mean"], MIN_MEAN))
    table["n_operators"] = len(filled)
    table["n_prompts"] = sum(effects.n_prompts for effects in filled.values())
    return table[COLUMNS]


def summed_mean(effects: Effects) -> Float[np.ndarray, "layer component"]:
    """Sum over positions of the mean over seeds and prompts."""
    return finite_mean(np.concatenate(effects.seeds)).sum(axis=0)


def _resampled(operators: dict[str, Effects]) -> Float[np.ndarray, "resample layer component"]:
    """Mean over operators of the summed means of resampled prompts."""
    means = [
        resampled_means(
            np.nan_to_num(finite_mean(np.stack(effects.seeds))).sum(axis=1),
            generator(BOOTSTRAP_SEED, "fig02_summed", operator),
        )
        for operator, effects in operators.items()
    ]
    return np.mean(means, axis=0)


def draw_summed(table: pd.DataFrame) -> Figure:
    """Heads (layer x head) and MLPs (layer) on one colour scale."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        is_mlp = table["component"] == "mlp"
        heads, mlps = grid(table[~is_mlp], "component"), grid(table[is_mlp], "component")
        figure = new_figure(COLUMN, height_of(len(mlps)))
        ratios = [heads_width(heads.shape[1]), 0.35]
        left, right = figure.subplots(1, 2, width_ratios=ratios, sharey=True)
        limits = colour_limits(heads, mlps)
        draw_heads(left, heads, limits)
        image = show(right, mlps, limits)
        left.set_title("attention heads")
        left.set_xlabel("head" + clipped_note(table))
        right.set_title("MLPs")
        right.set_xticks([])
        right.tick_params(labelleft=False)
        colour_bar(image, [left, right], "log(1 + summed mean\nindirect effect)")
        return figure
