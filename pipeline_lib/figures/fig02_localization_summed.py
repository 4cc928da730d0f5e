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
    NOTHING,
    clipped_note,
    colour_bar,
    colour_limits,
    describe_effects,
    draw_heads,
    effect_table,
    grid,
    heads_width,
    height_of,
    mark_unsure,
    resampled_effects,
    show,
    tested,
)
from pipeline_lib.figures.reading import Effects, finite_mean, per_operator, read_effects
from pipeline_lib.figures.style import COLUMN, Drawn, message_figure, new_figure, style

COLUMNS = [
    "layer", "component", "mean", "low", "high", "log1p", "log_odds", "p", "q", "n_operators",
    "n_prompts",
]  # fmt: skip


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the effects of every operator and seed."""
    files = per_operator(inputs, "effects", operators)
    table = tabulate_summed({op: read_effects(paths) for op, paths in files.items()})
    return Drawn(draw_summed(table), table)


def tabulate_summed(operators: dict[str, Effects]) -> pd.DataFrame:
    """Summed mean of every component, with its 95 % bootstrap interval, and a test (`COLUMNS`).

    Each operator with prompts weighs the same; an interval resamples seeds and prompts within each.
    Values that are not finite are left out. log_odds, p, q: `tested`, of the sum over positions.
    """
    filled = {operator: effects for operator, effects in operators.items() if effects.n_prompts}
    if not filled:
        return pd.DataFrame(columns=COLUMNS)
    first = next(iter(filled.values()))
    mean = finite_mean(np.stack([summed_mean(effects) for effects in filled.values()]))
    resampled = resampled_effects(filled, "fig02_summed").sum(axis=1)
    axes = {"layer": first.layers, "component": first.components}
    by_prompt = [np.mean(effects.log_odds, axis=0).sum(axis=1) for effects in filled.values()]
    table = effect_table(mean, resampled, axes).assign(**tested(by_prompt, "fig02_summed"))
    return describe_effects(table, filled)[COLUMNS]


def summed_mean(effects: Effects) -> Float[np.ndarray, "layer component"]:
    """Sum over positions of the mean over seeds and prompts."""
    return finite_mean(np.concatenate(effects.seeds)).sum(axis=0)


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
        mark_unsure(left, grid(table[~is_mlp], "component", "q"))
        mark_unsure(right, grid(table[is_mlp], "component", "q"))
        left.set_title("attention heads")
        left.set_xlabel("head" + clipped_note(table))
        right.set_title("MLPs")
        right.set_xticks([])
        right.tick_params(labelleft=False)
        colour_bar(image, [left, right], "log(1 + summed mean\nindirect effect)")
        return figure
