"""Steering: change of P(X) against the change asked for, beside random directions."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import EDIT_COLUMNS, PROBE, SLOPE_COLUMNS
from pipeline_lib.figures.bayes.parts import MODEL
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, new_figure, style
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval, ends_of

COLUMNS = ["kind", "asked_belief", "asked", "change", "low", "high", "read", "n"]


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from every edit and the slopes."""
    edits = store.read_table(inputs["edits"], EDIT_COLUMNS)
    slopes = store.read_table(inputs["slopes"], SLOPE_COLUMNS)
    table = tabulate(edits)
    return Drawn(draw(table, slopes), table)


def tabulate(edits: pd.DataFrame) -> pd.DataFrame:
    """Mean change of P(X) by change asked for (`COLUMNS`).

    Of the probe's direction with a 95 % bootstrap interval over prompts; of the random ones, mean
    and the middle 95 % of the directions.
    """
    rows = []
    for asked, part in edits.groupby("asked_belief"):
        own = part[part["direction"] == PROBE]
        values = own["change"].to_numpy(np.float64)
        low, high = bootstrap_mean_interval(values, generator(0, "bayes_steering"))
        common = {"asked_belief": asked, "asked": own["asked"].mean()}
        rows.append(
            common
            | {"kind": PROBE, "change": values.mean(), "low": float(low), "high": float(high)}
            | {"read": own["read"].mean(), "n": len(own)}
        )
        others = part[part["direction"] != PROBE].groupby("direction")[["change", "read"]].mean()
        low, high = ends_of(others["change"].to_numpy(np.float64))
        rows.append(
            common
            | {"kind": "random", "change": others["change"].mean(), "n": len(others)}
            | {"low": float(low), "high": float(high), "read": others["read"].mean()}
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame, slopes: pd.DataFrame) -> Figure:
    """What was asked on both axes' scale on the left, what came of it at its own on the right."""
    with style():
        figure = new_figure(PAGE, 2.6)
        wide, close = figure.subplots(1, 2)
        for axes in (wide, close):
            _panel(axes, table)
        end = float(table["asked"].abs().max()) * 1.1
        wide.plot([-end, end], [-end, end], color="black", linestyle="--", label="as asked")
        wide.set_ylim(-end, end)
        wide.set_title("on the scale of what was asked")
        close.set_title(_slopes(slopes))
        wide.set_ylabel("change of P(X)")
        handles, labels = wide.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
        return figure


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    axes.axhline(0, color=NEUTRAL, linewidth=0.5)
    axes.axvline(0, color=NEUTRAL, linewidth=0.5)
    for kind, colour, marker, label in (
        ("random", NEUTRAL, "s", "random directions: mean, middle 95 % of them"),
        (PROBE, MODEL, "o", "probe's direction: mean, 95 % interval"),
    ):
        rows = table[table["kind"] == kind]
        spread = np.stack([rows["change"] - rows["low"], rows["high"] - rows["change"]])
        axes.errorbar(
            rows["asked"], rows["change"], yerr=np.clip(np.nan_to_num(spread), 0, None),
            fmt=f"{marker}-", color=colour, elinewidth=0.8, capsize=1.5, label=label,
        )  # fmt: skip
    axes.set_xlabel("change of P(X) asked for")


def _slopes(slopes: pd.DataFrame) -> str:
    own, other = (slopes[slopes["direction"] == name].iloc[0] for name in (PROBE, "random"))
    said = (
        f"slope {own['slope']:.3f} [{own['low']:.3f}, {own['high']:.3f}]; "
        f"random {other['low']:.3f} to {other['high']:.3f}"
    )
    return said.replace("-", "−")
