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
from pipeline_lib.stats import resampled_means

COLUMNS = [
    "layer", "component", "position", "mean", "low", "high", "log1p", "n_operators", "n_prompts",
]  # fmt: skip
BOOTSTRAP_SEED = 0
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
    """Mean of every cell with its 95 % bootstrap interval over prompts, log1p of it (`COLUMNS`).

    Each operator with prompts weighs the same; an interval resamples the prompts within each.
    n_prompts counts discovery prompts, each patched with one counterfactual a seed. Values that are
    not finite are left out of the means; in the resamples they count as 0.
    """
    filled = {operator: effects for operator, effects in operators.items() if effects.n_prompts}
    if not filled:
        return pd.DataFrame(columns=COLUMNS)
    means = [finite_mean(np.concatenate(effects.seeds)) for effects in filled.values()]
    first = next(iter(filled.values()))
    axes = {"position": first.positions, "layer": first.layers, "component": first.components}
    table = effect_table(finite_mean(np.stack(means)), resampled_effects(filled, "fig02"), axes)
    return describe_effects(table, filled)[COLUMNS]


def resampled_effects(
    operators: dict[str, Effects], figure: str
) -> Float[np.ndarray, "resample position layer component"]:
    """Mean over operators of the mean effects of resampled prompts, each a mean over seeds."""
    total: Any = 0
    for operator, effects in operators.items():
        by_prompt = np.nan_to_num(finite_mean(np.stack(effects.seeds)))
        total += resampled_means(by_prompt, generator(BOOTSTRAP_SEED, figure, operator))
    return total / len(operators)


def effect_table(
    mean: Float[np.ndarray, "*cell"],
    resampled: Float[np.ndarray, "resample *cell"],
    axes: Mapping[str, Any],
) -> pd.DataFrame:
    """A row a cell: its place on the named axes, mean, and interval of the resampled means."""
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
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
    heads = grid(table[~is_mlp & (table["position"] == "equals")], "component")
    mlps = grid(table[is_mlp], "position")
    limits = colour_limits(heads, mlps)
    draw_heads(left, heads, limits)
    image = show(right, mlps, limits)
    right.set_xticks(
        range(mlps.shape[1]), [POSITION_TICKS[name] for name in mlps.columns],
        rotation=30, ha="right", rotation_mode="anchor",
    )  # fmt: skip
    left.set_title('attention heads, at "="')
    right.set_title("MLPs")
    right.set_xlabel("position" + clipped_note(table))
    right.tick_params(labelleft=False)
    colour_bar(image, [left, right], "log(1 + mean\nindirect effect)")


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


def grid(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """What is drawn, layer x ``column``, in the order of the table."""
    order = rows[column].drop_duplicates()
    return rows.pivot(index="layer", columns=column, values="log1p")[order]


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
