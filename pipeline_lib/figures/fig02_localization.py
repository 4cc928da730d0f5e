"""Figure 2: indirect effect of every head and MLP (paper equation 1).

log1p of the mean over prompts, counterfactual seeds and operators.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from pipeline_lib.figures.reading import Effects, finite_mean, per_operator, read_effects
from pipeline_lib.figures.style import (
    NEUTRAL,
    PAGE,
    SEQUENTIAL,
    Drawn,
    colour_map,
    message_figure,
    new_figure,
    say,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import (
    benjamini_hochberg,
    ends_of,
    flips_for,
    nested_means,
    sign_flip_p_values,
)

COLUMNS = [
    "layer", "component", "position", "mean", "low", "high", "log1p", "log_odds", "p", "q",
    "n_operators", "n_prompts",
]  # fmt: skip
BOOTSTRAP_SEED = 0
FALSE_DISCOVERIES = 0.05
NOTHING = "no operator has correct prompts:\nno effect was measured"
MIN_MEAN = -0.999
"""Means are at least -1 by definition; log1p is taken of no less than this."""
POSITION_TICKS = {
    "operand1": "operand 1",
    "operator": "operator",
    "operand2": "operand 2",
    "equals": "=",
}


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the effects of every operator and seed."""
    files = per_operator(inputs, "effects", operators)
    table = tabulate_localization({op: read_effects(paths) for op, paths in files.items()})
    return Drawn(draw_localization(table), table)


def tabulate_localization(operators: dict[str, Effects]) -> pd.DataFrame:
    """Mean of every cell with its 95 % bootstrap interval, log1p of it, and a test (`COLUMNS`).

    Each operator with prompts weighs the same; an interval resamples seeds and prompts within each.
    n_prompts counts discovery prompts, each patched with one counterfactual a seed. Values that are
    not finite are left out. log_odds, p, q: see `tested`.
    """
    filled = {operator: effects for operator, effects in operators.items() if effects.n_prompts}
    if not filled:
        return pd.DataFrame(columns=COLUMNS)
    means = [finite_mean(np.concatenate(effects.seeds)) for effects in filled.values()]
    first = next(iter(filled.values()))
    axes = {"position": first.positions, "layer": first.layers, "component": first.components}
    table = effect_table(finite_mean(np.stack(means)), resampled_effects(filled, "fig02"), axes)
    by_prompt = [np.mean(effects.log_odds, axis=0) for effects in filled.values()]
    table = table.assign(**tested(by_prompt, "fig02"))
    return describe_effects(table, filled)[COLUMNS]


def resampled_effects(
    operators: dict[str, Effects], figure: str
) -> Float[np.ndarray, "resample position layer component"]:
    """Mean over operators of the mean effects of resampled seeds and prompts."""
    total: Any = 0
    for operator, effects in operators.items():
        rng = generator(BOOTSTRAP_SEED, figure, operator)
        total += nested_means(np.stack(effects.seeds), rng)
    return total / len(operators)


def tested(
    operators: Sequence[Float[np.ndarray, "prompt *cell"]], figure: str
) -> dict[str, Float[np.ndarray, " cell"]]:
    """Columns log_odds, p and q of every cell, from each prompt's change of log P(r)/P(r').

    log_odds is the mean, each operator weighing the same. p: sign-flip test of it, one sign a clean
    prompt, which has been averaged over its counterfactual seeds. q: the false discovery rate over
    all cells (Benjamini-Hochberg). The log odds are tested and not eq. 1, which is positive on
    average even where they move either way at random.
    """
    weighed = np.concatenate([v / (len(v) * len(operators)) for v in operators])
    flat = weighed.reshape(len(weighed), -1)
    rng = generator(BOOTSTRAP_SEED, figure, "sign_flips")
    p = sign_flip_p_values(flat, rng, flips_for(flat.shape[1]))
    return {"log_odds": flat.sum(axis=0), "p": p, "q": benjamini_hochberg(p)}


def effect_table(
    mean: Float[np.ndarray, "*cell"],
    resampled: Float[np.ndarray, "resample *cell"],
    axes: Mapping[str, Any],
) -> pd.DataFrame:
    """A row a cell: its place on the named axes, mean, and interval of the resampled means."""
    low, high = ends_of(resampled)
    index = pd.MultiIndex.from_product(list(axes.values()), names=list(axes))
    values = {"mean": mean.ravel(), "low": low.ravel(), "high": high.ravel()}
    return pd.DataFrame(values, index=index).reset_index()


def describe_effects(table: pd.DataFrame, operators: dict[str, Effects]) -> pd.DataFrame:
    """The table with log1p of the mean, and of how many operators and prompts it is."""
    return table.assign(
        log1p=np.log1p(np.maximum(table["mean"], MIN_MEAN)),
        n_operators=len(operators),
        n_prompts=sum(effects.n_prompts for effects in operators.values()),
    )


def draw_localization(table: pd.DataFrame) -> Figure:
    """Heads at "=" (layer x head) and MLPs (layer x position) on one colour scale."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(PAGE, height_of(table["layer"].nunique()))
        n_heads = table["component"].nunique() - 1
        left, right = figure.subplots(1, 2, width_ratios=[heads_width(n_heads), 1.3], sharey=True)
        draw_panels(left, right, table)
        return figure


def height_of(n_layers: int) -> float:
    """Height of a figure with a row a layer, in inches."""
    return float(np.clip(1.0 + 0.13 * n_layers, 2.0, 5.0))


def heads_width(n_heads: int) -> float:
    """Width of the panel of heads, where that of the MLPs is about 1."""
    return float(np.clip(n_heads / 8, 1.5, 3.0))


def draw_panels(left: Axes, right: Axes, table: pd.DataFrame) -> None:
    """Heads at "=" and MLPs in two axes with one y axis, and their colour bar beside them."""
    is_mlp = table["component"] == "mlp"
    at_last = table[~is_mlp & (table["position"] == "equals")]
    heads, mlps = grid(at_last, "component"), grid(table[is_mlp], "position")
    limits = colour_limits(heads, mlps)
    draw_heads(left, heads, limits)
    image = show(right, mlps, limits)
    mark_unsure(left, grid(at_last, "component", "q"))
    mark_unsure(right, grid(table[is_mlp], "position", "q"))
    right.set_xticks(
        range(mlps.shape[1]), [POSITION_TICKS[name] for name in mlps.columns],
        rotation=30, ha="right", rotation_mode="anchor",
    )  # fmt: skip
    left.set_title('attention heads, at "="')
    right.set_title("MLPs")
    right.set_xlabel("position" + clipped_note(table))
    right.tick_params(labelleft=False)
    colour_bar(image, [left, right], "log(1 + mean\nindirect effect)")


def mark_unsure(axes: Axes, q_values: pd.DataFrame) -> None:
    """A cross in every cell that does not pass the false discovery rate."""
    layer, column = np.nonzero(q_values.to_numpy() > FALSE_DISCOVERIES)
    if len(layer):
        size = float(np.clip(120 / max(q_values.shape), 3, 14))
        axes.scatter(column, layer, s=size, marker="x", color=NEUTRAL, linewidths=0.6)


def draw_heads(axes: Axes, heads: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Layer x head, or a word on why there is nothing."""
    if heads.empty:
        say(axes, "heads were not patched at the last position")
        return
    show(axes, heads, limits)
    thin_ticks(axes, [name.removeprefix("head_") for name in heads.columns])
    axes.set(xlabel="head", ylabel="layer")


def colour_bar(image: AxesImage, axes: Sequence[Axes], label: str) -> None:
    """The colour bar of panels that share a scale."""
    bar = axes[0].figure.colorbar(image, ax=list(axes), pad=0.01, aspect=25)
    bar.set_label(label)


def clipped_note(table: pd.DataFrame) -> str:
    """A line on the means that are drawn as `MIN_MEAN`, if there are any."""
    clipped = int((table["mean"] < MIN_MEAN).sum())
    return f"\n({clipped} means below {MIN_MEAN} drawn as {MIN_MEAN})" if clipped else ""


def grid(rows: pd.DataFrame, column: str, values: str = "log1p") -> pd.DataFrame:
    """What is drawn, layer x ``column``, in the order of the table."""
    order = rows[column].drop_duplicates()
    return rows.pivot(index="layer", columns=column, values=values)[order]


def colour_limits(*grids: pd.DataFrame) -> tuple[float, float]:
    """Ends of the colour scale that panels share: 0, and below it only what is."""
    values = np.concatenate([grid.to_numpy().ravel() for grid in grids])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    top = float(values.max())
    return min(0.0, float(values.min())), top if top > 0 else 1.0


def show(axes: Axes, cells: pd.DataFrame, limits: tuple[float, float]) -> AxesImage:
    """Cells as colours, the first layer at the bottom."""
    image = axes.imshow(
        cells.to_numpy(), origin="lower", aspect="auto", cmap=colour_map(SEQUENTIAL),
        vmin=limits[0], vmax=limits[1],
    )  # fmt: skip
    step = -(-len(cells) // 16)
    axes.set_yticks(range(0, len(cells), step), [str(layer) for layer in cells.index[::step]])
    return image


def thin_ticks(axes: Axes, labels: list[str]) -> None:
    """Labels below the columns, at most 16 of them."""
    step = -(-len(labels) // 16)
    axes.set_xticks(range(0, len(labels), step), labels[::step])
