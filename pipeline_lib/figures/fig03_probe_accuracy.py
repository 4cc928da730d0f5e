"""Figure 3: test accuracy of linear probes for the answer, controls beside it (definitions 4).

Mean over operators, each with the same weight, at every position and layer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from pipeline_lib import store
from pipeline_lib.figures.reading import paths
from pipeline_lib.figures.style import (
    PAGE,
    SEQUENTIAL,
    SMALL,
    Drawn,
    colour_map,
    ink_on,
    message_figure,
    new_figure,
    say,
    style,
)
from pipeline_lib.rng import generator

PROBE_COLUMNS = (
    "operator", "layer", "position", "variant", "accuracy", "chance", "n_train", "n_test",
)  # fmt: skip
COLUMNS = [
    "variant", "position", "layer", "mean", "low", "high", "chance", "n_operators", "n_test",
]  # fmt: skip
KEYS = ["variant", "position", "layer"]
TITLES = {
    "answer": "answer",
    "shuffled": "control: shuffled answers",
    "held_out": "control: answers not trained on\n(guess is a neighbour)",
}
SELECTIVITY = "selectivity"
"""Rows of the table with the accuracy of ``answer`` minus that of ``shuffled``."""
POSITION_TICKS = {"operand1": "operand 1", "operator": "operator", "operand2": "operand 2",
                  "equals": "="}  # fmt: skip
PRINTED_LAYERS = 6
"""Up to this many layers each cell has room for its number."""
RESAMPLES = 2000
NOTHING = "no operator has enough correct prompts:\nno probe was trained"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the probe tables of every operator."""
    tables = [store.read_table(path, PROBE_COLUMNS) for path in paths(inputs["probes"])]
    table = tabulate_probes([probes for probes in tables if len(probes)])
    return Drawn(draw_probes(table), table)


def tabulate_probes(operators: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean over operators of every cell with its 95 % interval (`COLUMNS`), and selectivity.

    ``low`` and ``high`` are those of a bootstrap over the test prompts within each operator.
    ``n_test`` counts the test prompts of all operators.
    """
    if not operators:
        return pd.DataFrame(columns=COLUMNS)
    probes = pd.concat(operators, ignore_index=True)
    draws = bootstrap_shares(probes["accuracy"].to_numpy(float), probes["n_test"].to_numpy(int))
    cells = probes.groupby(KEYS, sort=False)
    table = cells.agg(
        mean=("accuracy", "mean"),
        chance=("chance", "mean"),
        n_operators=("operator", "size"),
        n_test=("n_test", "sum"),
    ).reset_index()
    resampled = {cell: draws[:, index].mean(1) for cell, index in cells.indices.items()}
    drawn = [resampled[cell] for cell in zip(*(table[key] for key in KEYS), strict=True)]
    table["low"], table["high"] = np.quantile(drawn, [0.025, 0.975], axis=1)
    return pd.concat([table, _selectivity(table, resampled)], ignore_index=True)[COLUMNS]


def bootstrap_shares(
    share: Float[np.ndarray, " row"], n: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "resample row"]:
    """Resampled shares of right answers, each of ``n`` prompts.

    Drawing n yes-or-no outcomes with replacement is a binomial draw, so the share is all it takes.
    """
    right = np.rint(share * n).astype(int)
    return generator(0, "fig03_bootstrap").binomial(n, right / n, size=(RESAMPLES, len(n))) / n


def _selectivity(table: pd.DataFrame, resampled: dict[Any, np.ndarray]) -> pd.DataFrame:
    """Rows of selectivity for the cells that have both variants; its chance is 0."""
    cells = ["position", "layer"]
    own, control = (table[table["variant"] == name] for name in ("answer", "shuffled"))
    rows = own.merge(control[[*cells, "mean"]], on=cells, suffixes=("", "_control"))
    rows["mean"] -= rows["mean_control"]
    for end, share in (("low", 0.025), ("high", 0.975)):
        rows[end] = [
            np.quantile(resampled["answer", *cell] - resampled["shuffled", *cell], share)
            for cell in zip(rows["position"], rows["layer"], strict=True)
        ]
    return rows.assign(variant=SELECTIVITY, chance=0.0)[COLUMNS]


def draw_probes(table: pd.DataFrame) -> Figure:
    """Position x layer, a panel a variant, on one colour scale from 0 to 1."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        n_positions = table["position"].nunique()
        figure = new_figure(PAGE, 0.85 + 0.24 * n_positions)
        panels = figure.subplots(1, len(TITLES), sharey=True)
        shown = [
            draw_panel(axes, table, variant) for axes, variant in zip(panels, TITLES, strict=True)
        ]
        image = next(found for found in shown if found is not None)
        bar = figure.colorbar(image, ax=panels, pad=0.01, aspect=15)
        bar.set_label("test accuracy")
        return figure


def draw_panel(axes: Axes, table: pd.DataFrame, variant: str) -> AxesImage | None:
    """Position x layer of one variant; without prompts to test a word on that, and None."""
    rows = table[table["variant"] == variant]
    if rows.empty:
        axes.set_title(TITLES[variant])
        say(axes, "no prompts to test")
        return None
    axes.set_title(f"{TITLES[variant]}\nbest constant guess: {rows['chance'].iloc[0]:.2f}")
    return _show(axes, rows)


def _show(axes: Axes, rows: pd.DataFrame) -> AxesImage:
    order = [name for name in POSITION_TICKS if name in set(rows["position"])]
    means = rows.pivot(index="position", columns="layer", values="mean").loc[order]
    image = axes.imshow(means.to_numpy(), aspect="auto", cmap=colour_map(SEQUENTIAL),
                        vmin=0.0, vmax=1.0)  # fmt: skip
    step = -(-means.shape[1] // 8)
    axes.set_xticks(range(0, means.shape[1], step), [str(n) for n in means.columns[::step]])
    axes.set_yticks(range(len(order)), [POSITION_TICKS[name] for name in order])
    axes.set_xlabel("layer")
    if means.shape[1] <= PRINTED_LAYERS:
        _print_cells(axes, image, means, rows.assign(half=(rows["high"] - rows["low"]) / 2))
    return image


def _print_cells(axes: Axes, image: AxesImage, means: pd.DataFrame, rows: pd.DataFrame) -> None:
    half = rows.pivot(index="position", columns="layer", values="half")
    for y, position in enumerate(means.index):
        for x, layer in enumerate(means.columns):
            mean = means.loc[position, layer]
            axes.text(x, y, f"{mean:.2f}\n±{half.loc[position, layer]:.2f}", ha="center",
                      va="center", fontsize=SMALL, linespacing=0.9,
                      color=ink_on(image.cmap(image.norm(mean))))  # fmt: skip
