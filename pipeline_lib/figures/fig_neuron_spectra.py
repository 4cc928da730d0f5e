"""Which periods neurons have: spectra of their maps over operands and answers (definitions 15)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    MISSING,
    NEUTRAL,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

SPECTRA_KIND = "map_spectra"
COLUMNS = [
    "operator", "panel", "layer", "neuron", "target", "period", "share", "low", "high", "neurons",
    "noise",
]  # fmt: skip
TARGETS = {
    "op1": ("operand 1", "#0072B2", "o"),
    "op2": ("operand 2", "#56B4E9", "s"),
    "sum": ("a + b", "#D55E00", "^"),
    "difference": ("a − b", "#E69F00", "v"),
    "result": ("result", "#009E73", "D"),
}
TICKS = (2, 5, 10, 30, 100, 300, 1000)
BOOTSTRAP_SEED = 0
NOTHING = "no operator has maps of neurons:\nthere are no spectra"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the spectra of every operator's maps."""
    table = tabulate_operators(one_per_operator(inputs, "spectra", operators))
    return Drawn(draw_spectra(table, operators, settings["periods"]), table)


def tabulate_operators(files: Mapping[str, str]) -> pd.DataFrame:
    """`tabulate_spectra` of every operator, one after the other."""
    parts = []
    for operator, path in files.items():
        with store.open_artifact(path, SPECTRA_KIND) as artifact:
            parts.append(
                tabulate_spectra(
                    operator,
                    pd.DataFrame({name: artifact.read(name) for name in ("layer", "neuron")}),
                    artifact.coords("mode"),
                    artifact.read("period"),
                    artifact.read("share").astype(np.float64),
                    artifact.read("noise"),
                )
            )
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def tabulate_spectra(
    operator: str,
    neurons: pd.DataFrame,
    targets: np.ndarray,
    periods: np.ndarray,
    share: np.ndarray,
    noise: np.ndarray,
) -> pd.DataFrame:
    """What both panels show (`COLUMNS`).

    "mean": mean share of every mode over the neurons whose map has variance, with its 95 %
    bootstrap interval and what white noise would have (noise); "strongest": of every such neuron,
    the mode with the largest share.
    """
    alive = np.isfinite(share).all(axis=1) if share.size else np.zeros(len(share), dtype=bool)
    if not alive.any():
        return pd.DataFrame(columns=COLUMNS)
    share, neurons = share[alive], neurons[alive].reset_index(drop=True)
    rng = generator(BOOTSTRAP_SEED, "fig_neuron_spectra", operator)
    low, high = bootstrap_mean_interval(share, rng, n=500)
    mean = pd.DataFrame(
        {"target": targets, "period": periods, "share": share.mean(axis=0), "low": low}
    ).assign(high=high, noise=noise, panel="mean", neurons=len(share))
    best = share.argmax(axis=1)
    strongest = neurons.assign(
        target=targets[best], period=periods[best], share=share.max(axis=1), panel="strongest"
    )
    table = pd.concat([mean, strongest], ignore_index=True).assign(operator=operator)
    return table[COLUMNS].astype(dict.fromkeys(["layer", "neuron", "neurons"], "Int64"))


def draw_spectra(table: pd.DataFrame, operators: Sequence[str], periods: Sequence[int]) -> Figure:
    """Above the mean spectrum over each number; below each neuron's strongest mode."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(PAGE, 3.6)
        grid = figure.subplots(2, len(operators), squeeze=False, sharex="col")
        for (above, below), operator in zip(grid.T, operators, strict=True):
            above.set_title(operator_title(operator))
            rows = table[table["operator"] == operator]
            if rows.empty:
                say(above, "no prompts")
                below.set_axis_off()
                continue
            for axes in (above, below):
                for period in (p for p in periods if p <= rows["period"].max()):
                    axes.axvline(period, color=MISSING, linewidth=0.6, zorder=0)
            _means(above, rows[rows["panel"] == "mean"])
            _strongest(below, rows[rows["panel"] == "strongest"])
        grid[0][0].set_ylabel("mean share of variance")
        grid[1][0].set_ylabel("share of strongest mode")
        shown = [target for target in TARGETS if target in set(table["target"])]
        figure.legend(
            [
                *(Line2D([], [], color=TARGETS[t][1], marker=TARGETS[t][2]) for t in shown),
                Line2D([], [], color=NEUTRAL, linestyle=":", linewidth=0.7),
            ],
            [*(TARGETS[t][0] for t in shown), "white noise"],
            loc="outside upper center", ncols=len(shown) + 1,
        )  # fmt: skip
        return figure


def _means(axes: Axes, rows: pd.DataFrame) -> None:
    for target, (_, colour, _) in TARGETS.items():
        line = rows[rows["target"] == target].sort_values("period")
        if len(line):
            ends = (line["low"].clip(lower=1e-6), line["high"])
            axes.fill_between(line["period"], *ends, color=colour, alpha=0.15, linewidth=0)
            axes.plot(line["period"], line["share"], color=colour, linewidth=0.7)
    axes.axhline(rows["noise"].max(), color=NEUTRAL, linestyle=":", linewidth=0.7)
    axes.set(xscale="log", yscale="log")
    axes.set_ylim(bottom=max(1e-5, float(rows["share"].quantile(0.02)) / 2))


def _strongest(axes: Axes, rows: pd.DataFrame) -> None:
    for target, (_, colour, marker) in TARGETS.items():
        points = rows[rows["target"] == target]
        axes.scatter(
            points["period"], points["share"], s=8, color=colour, marker=marker, alpha=0.7,
            linewidth=0,
        )  # fmt: skip
    axes.set(ylim=(0, 1), xlabel="period")
    span = axes.get_xlim()
    ticks = [tick for tick in TICKS if span[0] <= tick <= span[1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
