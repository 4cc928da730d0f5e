"""Whether the drift that a head's ablation takes away agrees with its induction score."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.style import PAGE, SMALL, Drawn, new_figure, style
from pipeline_lib.induction.kinds import KINDS

SWEEP_READ = ["kind", "measure", "layer", "component", "effect", "low", "high", "of_symbols"]
SCORES_READ = ["layer", "head", "score", "mean", "low", "high"]
AGREEMENT_READ = [
    "kind",
    "measure",
    "effect",
    "score",
    "layers",
    "rho",
    "low",
    "high",
    "p",
    "heads",
]
SCORES = {"induction": "induction score", "previous": "attention to the token before"}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MEASURES = {
    "drift": "drift of P(X)\ntaken away",
    "logit_drift": "drift of the logit\ndifference taken away",
}
COLUMNS = [
    "kind", "measure", "score", "layer", "head", "x", "x_low", "x_high", "drift_reduction",
    "low", "high", "rho", "rho_low", "rho_high", "p",
]  # fmt: skip
NAMED, NOTABLE, NEAR = 4, 0.15, 0.06
"""Heads that are named at most, and shares of the largest effect: of these, of names that touch."""


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the sweep, the scores and their agreement."""
    table = tabulate(
        store.read_table(inputs["ablation"], SWEEP_READ),
        store.read_table(inputs["scores"], SCORES_READ),
        store.read_table(inputs["agreement"], AGREEMENT_READ),
    )
    return Drawn(draw(table), table)


def tabulate(sweep: pd.DataFrame, scores: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Both sides of every head (`COLUMNS`), with the rank correlation over all heads."""
    drifts = sweep[sweep["measure"].isin(MEASURES)]
    drifts = drifts.assign(head=drifts["component"].str.removeprefix("head_").astype(int))
    drifts = drifts.rename(columns={"effect": "drift_reduction"})
    sides = scores[scores["score"].isin(SCORES)].rename(
        columns={"mean": "x", "low": "x_low", "high": "x_high"}
    )
    over_all = found[(found["effect"] == "mean over pairs") & (found["layers"] == "all")]
    over_all = over_all.rename(columns={"low": "rho_low", "high": "rho_high"})
    table = drifts.merge(sides, on=["layer", "head"]).merge(
        over_all.drop(columns="effect"), on=["kind", "measure", "score"]
    )
    return table[COLUMNS]


def draw(table: pd.DataFrame) -> Figure:
    """Rows: what is taken away; columns: kind of ablation and score; the strongest heads named."""
    with style():
        figure = new_figure(PAGE, 4.2)
        panels = [(kind, score) for kind in KINDS for score in SCORES]
        grid = figure.subplots(len(MEASURES), len(panels), sharey="row", sharex="col")
        for line, (measure, label) in zip(grid, MEASURES.items(), strict=True):
            rows = table[table["measure"] == measure]
            for axes, (kind, score) in zip(line, panels, strict=True):
                _panel(axes, rows[(rows["kind"] == kind) & (rows["score"] == score)])
                axes.set_title(f"{kind} ablation\n{axes.get_title()}", fontsize=SMALL)
            line[0].set_ylabel(label)
        for axes, (_, score) in zip(grid[-1], panels, strict=True):
            axes.set_xlabel(SCORES[score])
        layers = sorted(set(table["layer"]))
        if len(layers) <= len(COLOURS):
            figure.legend(
                [Line2D([], [], marker="o", linestyle="", color=_colour(i)) for i in layers],
                [f"layer {i}" for i in layers], loc="outside upper right", ncols=len(layers),
            )  # fmt: skip
        return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    colours = [_colour(layer) for layer in rows["layer"]]
    axes.vlines(rows["x"], rows["low"], rows["high"], color=colours, linewidth=0.8)
    axes.hlines(
        rows["drift_reduction"], rows["x_low"], rows["x_high"], color=colours, linewidth=0.8
    )
    axes.scatter(rows["x"], rows["drift_reduction"], s=9, color=colours, zorder=3)
    axes.axhline(0, color="#BBBBBB", linewidth=0.6, zorder=0)
    best = rows.nlargest(NAMED, "drift_reduction")
    best = best[best["drift_reduction"] > NOTABLE * best["drift_reduction"].max()]
    near = best["drift_reduction"].diff().abs() < NEAR * best["drift_reduction"].max()
    for is_near, row in zip(near, best.to_dict("records"), strict=True):
        is_right = row["x"] > 0.6 * rows["x"].max()
        axes.annotate(
            f"L{row['layer']}H{row['head']}", (row['x'], row['drift_reduction']),
            xytext=(-4 if is_right else 4, -6 if is_near else 1),
            textcoords="offset points", fontsize=SMALL - 1,
            ha="right" if is_right else "left",
        )  # fmt: skip
    first = rows.iloc[0]
    axes.set_title(_words(first))


def _words(row: pd.Series) -> str:
    if not np.isfinite(row["rho"]):
        return "no rank correlation"
    ends = f"[{row['rho_low']:.2f}, {row['rho_high']:.2f}]"
    p = "p < .001" if row["p"] < 0.001 else f"p = {row['p']:.3f}"
    return f"ρ = {row['rho']:.2f}, {p}\n95 %: {ends}".replace("-", "−")


def _colour(layer: int) -> str:
    return COLOURS[layer % len(COLOURS)]
