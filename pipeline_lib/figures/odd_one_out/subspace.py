"""The super-class in the critical layer: accuracy by rank, and what its subspace carries."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.words import COLOURS, swept
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, new_figure, style
from pipeline_lib.odd_one_out.subspace import PATCHED, PROBE

LINES = {
    "whole": ("black", ":", "whole residual"),
    "complement": (COLOURS["corrupt"], "--", "complement of the subspace"),
    "probe": (COLOURS["clean"], "-", "subspace of the super-class"),
    "random": (COLOURS["random"], "-.", "random subspaces"),
}


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the probe and the patches."""
    probe = store.read_table(str(inputs["probe"]), PROBE)
    patches = store.read_table(str(inputs["patches"]), PATCHED)
    named = patches.rename(columns={"subspace": "variant", "recovery": "value"})
    both = [
        probe.rename(columns={"accuracy": "value"}).assign(measure="accuracy"),
        named.assign(measure="recovery"),
    ]
    return Drawn(draw(probe, patches, swept(inputs)), pd.concat(both, ignore_index=True))


def draw(probe: pd.DataFrame, patches: pd.DataFrame, task: str) -> Figure:
    """Left: accuracy against rank; right: recovery against rank."""
    with style():
        figure = new_figure(PAGE, 2.6)
        left, right = figure.subplots(1, 2)
        _accuracy(left, probe)
        _recovery(right, patches)
        right.set_title(f"clean into corrupt at the query ({task})")
        return figure


def _accuracy(axes: Axes, probe: pd.DataFrame) -> None:
    colours = {"probe": COLOURS["clean"], "shuffled labels": COLOURS["random"]}
    for name, part in probe.groupby("variant", sort=False):
        colour = colours[str(name)]
        axes.fill_between(
            part["rank"], part["low"], part["high"], color=colour, alpha=0.15, linewidth=0
        )
        axes.plot(part["rank"], part["accuracy"], marker="o", color=colour, label=str(name))
    chosen = probe[probe["is_chosen"] & (probe["variant"] == "probe")]
    axes.plot(
        chosen["rank"], chosen["accuracy"], "o", color="black", markersize=6, fillstyle="none",
        linestyle="none", label="chosen rank",
    )  # fmt: skip
    axes.axhline(probe["chance"].iloc[0], color=NEUTRAL, linewidth=0.6, linestyle=":")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("singular directions kept")
    axes.set_ylabel("accuracy on unseen people")
    axes.set_title("probe of the super-class")
    axes.legend(loc="upper left")


def _recovery(axes: Axes, patches: pd.DataFrame) -> None:
    ranks = patches.loc[patches["subspace"] == "probe", "rank"]
    for name, (colour, dashes, label) in LINES.items():
        part = patches[patches["subspace"] == name]
        if name == "whole" and len(part):
            ends = [ranks.min(), ranks.max()]
            axes.plot(ends, [part["recovery"].iloc[0]] * 2, dashes, color=colour, label=label)
            continue
        axes.fill_between(
            part["rank"], part["low"], part["high"], color=colour, alpha=0.12, linewidth=0
        )
        axes.plot(part["rank"], part["recovery"], dashes, marker="o", color=colour, label=label)
    axes.axhline(0, color=NEUTRAL, linewidth=0.6)
    axes.set_xlabel("dimension of the subspace")
    axes.set_ylabel("recovery")
    axes.legend(loc="center left")
