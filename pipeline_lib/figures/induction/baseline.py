"""What the model does before anything is ablated: recall, P(X) after every order, drift, error."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.style import ACCENT, NEUTRAL, PAGE, SMALL, Drawn, new_figure, style

NAME_COLOURS = {"patterned": "#0072B2", "mixed": "#009E73", "clumped": "#D55E00"}
COLUMNS = ["panel", "symbols", "n_x", "n_y", "of", "value", "low", "high", "reference", "n"]
RECALL_READ = ["part", "accuracy", "low", "high", "n", "chance"]
ORDERS_READ = ["symbols", "n_x", "n_y", "order", "name", "p_x", "predictive"]
DRIFT_READ = [
    "symbols", "n_x", "n_y", "orders", "drift", "mae", "mae_low", "mae_high", "mean", "low", "high",
    "predictive", "noise_floor", "mass", "answered",
]  # fmt: skip


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from recall, orders and drifts of a model."""
    table = tabulate(
        store.read_table(inputs["recall"], RECALL_READ),
        store.read_table(inputs["orders"], ORDERS_READ),
        store.read_table(inputs["drift"], DRIFT_READ),
    )
    return Drawn(draw(table), table)


def tabulate(recall: pd.DataFrame, orders: pd.DataFrame, drift: pd.DataFrame) -> pd.DataFrame:
    """All panels in one table (`COLUMNS`), of the first pair of symbols."""
    first = drift["symbols"].iloc[0]
    orders, drift = (part[part["symbols"] == first] for part in (orders, drift))
    drift = drift.assign(total=drift["n_x"] + drift["n_y"]).sort_values(["total", "n_x"])
    three = orders[(orders["n_x"] == 3) & (orders["n_y"] == 3)].sort_values("p_x")
    both = {name: drift[name] for name in ("symbols", "n_x", "n_y")}
    names = three["name"].fillna("")
    parts = [
        recall.rename(columns={"part": "of", "accuracy": "value", "chance": "reference"}).assign(
            panel="recall"
        ),
        three.assign(
            panel="p_x", of=three["order"] + " " + names, value=three["p_x"],
            reference=three["predictive"], n=1,
        ),
        *(
            pd.DataFrame(
                {**both, "panel": name, "value": drift[column], "low": low, "high": high,
                 "reference": reference, "n": drift["orders"]}
            )
            for name, column, low, high, reference in (
                ("drift", "drift", np.nan, np.nan, drift["noise_floor"]),
                ("mae", "mae", drift["mae_low"], drift["mae_high"], np.nan),
                ("mean", "mean", drift["low"], drift["high"], drift["predictive"]),
            )
        ),
    ]  # fmt: skip
    return pd.concat([part.reindex(columns=COLUMNS) for part in parts], ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """Four panels: recall; P(X) of the orders; drift and error by counts; means."""
    with style():
        figure = new_figure(PAGE, 2.5)
        axes = figure.subplots(1, 4, width_ratios=[0.62, 1.5, 1.25, 1.0])
        panels = dict(list(table.groupby("panel")))
        _recall(axes[0], panels["recall"])
        _orders(axes[1], panels["p_x"])
        _counts(axes[2], panels["drift"], panels["mae"])
        _means(axes[3], panels["mean"])
        return figure


def _recall(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_title("a  repeated tokens")
    place = np.arange(len(rows))
    axes.bar(place, rows["value"], width=0.6, color=[NEUTRAL, "#0072B2"])
    _interval(axes, place, rows)
    axes.axhline(float(rows["reference"].iloc[0]), color=ACCENT, linewidth=0.6, linestyle=":")
    axes.set_xticks(place, [f"{part}\nhalf" for part in rows["of"]])
    axes.set_ylim(0, 1.04)
    axes.set_ylabel("next token is first choice")


def _orders(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_title("b  orders of three and three")
    words = rows["of"].str.split(" ", n=1, expand=True)
    colours = [NAME_COLOURS.get(name, NEUTRAL) for name in words[1]]
    axes.scatter(rows["value"], np.arange(len(rows)), s=9, color=colours, zorder=3)
    axes.axvline(float(rows["reference"].iloc[0]), color=ACCENT, linewidth=0.6, linestyle=":")
    axes.set_yticks(
        np.arange(len(rows)), words[0].str.upper(), fontfamily="monospace", fontsize=4.6
    )
    for label, colour in zip(axes.get_yticklabels(), colours, strict=True):
        label.set_color(colour)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xlabel("P(X); dotted: a counter")
    marks = [Line2D([], [], marker="o", linestyle="", color=c) for c in NAME_COLOURS.values()]
    axes.legend(marks, list(NAME_COLOURS), loc="lower right", handletextpad=0.1)


def _counts(axes: Axes, drift: pd.DataFrame, mae: pd.DataFrame) -> None:
    axes.set_title("c  drift and error")
    place = np.arange(len(drift))
    axes.bar(place - 0.2, drift["value"], width=0.4, color="#0072B2", label="drift")
    axes.bar(place + 0.2, mae["value"], width=0.4, color="#E69F00", label="MAE to a counter")
    _interval(axes, place + 0.2, mae)
    axes.plot(place - 0.2, drift["reference"], "_", color=ACCENT, label="noise floor")
    _name_counts(axes, place, drift)
    axes.set_ylim(0, 1.28)
    axes.set_yticks(np.arange(0, 1.01, 0.25))
    axes.legend(loc="upper left", ncols=2, columnspacing=0.8, handlelength=1.2)


def _means(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_title("d  does it count?")
    place = np.arange(len(rows))
    _interval(axes, place, rows)
    axes.plot(place, rows["value"], "o", color="#0072B2", label="mean P(X)")
    axes.plot(place, rows["reference"], "_", color=ACCENT, markersize=7, label="counter")
    _name_counts(axes, place, rows)
    axes.set_ylim(0, 1.28)
    axes.set_yticks(np.arange(0, 1.01, 0.25))
    axes.legend(loc="upper left", ncols=2, columnspacing=0.8, handlelength=1.2)


def _name_counts(axes: Axes, place: np.ndarray, rows: pd.DataFrame) -> None:
    names = [f"{int(x)}+{int(y)}" for x, y in zip(rows["n_x"], rows["n_y"], strict=True)]
    axes.set_xticks(place, names, rotation=90)
    axes.set_xlabel("number of X + number of Y", fontsize=SMALL)


def _interval(axes: Axes, place: np.ndarray, rows: pd.DataFrame) -> None:
    axes.vlines(place, rows["low"], rows["high"], color=ACCENT, linewidth=0.8, zorder=4)
