"""Direct paths from every head to the critical slice, and one-name probes for retrieval heads."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.panels import scale_of
from pipeline_lib.figures.odd_one_out.words import PLACE_TITLES, swept
from pipeline_lib.figures.style import PAGE, Drawn, message_figure, new_figure, say, style
from pipeline_lib.figures.sweep_map import Panel, draw_panel
from pipeline_lib.sweeps import COLUMNS


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the paths and the one-name probes."""
    paths = store.read_table(str(inputs["paths"]), list(COLUMNS))
    probes = store.read_table(str(inputs["retrieval"]), ["layer", "component", "position"])
    both = [paths.assign(measure="path"), probes.assign(measure="one_name")]
    table = pd.concat([part for part in both if len(part)], ignore_index=True)
    return Drawn(draw(paths, probes, swept(inputs)), table)


def draw(paths: pd.DataFrame, probes: pd.DataFrame, task: str) -> Figure:
    """Panels: each receiver, then each place of the one-name probes."""
    with style():
        if paths.empty:
            return message_figure("nothing was measured", PAGE)
        receivers = list(dict.fromkeys(paths["position"]))
        figure = new_figure(PAGE, 4.4)
        figure.suptitle(f"direct paths carry the corrupt run ({task}); one-name probes")
        axes = figure.subplots(1, len(receivers) + 2)
        limit = scale_of(paths, 0.995)
        for place, receiver in zip(axes, receivers, strict=False):
            part = paths[paths["position"] == receiver]
            at, _, end = str(receiver).partition(" > ")
            image = draw_panel(place, Panel(numbered(part), "", "component"), limit)
            place.set_title(f"{PLACE_TITLES.get(at, at)}\nto {end}")
        figure.colorbar(
            image, ax=axes[: len(receivers)], label="change of the margin (nats)",
            orientation="horizontal", fraction=0.05, pad=0.02, aspect=40, extend="both",
        )  # fmt: skip
        for place, at in zip(axes[len(receivers) :], ("swapped", "query"), strict=True):
            place.set_title(f"one name:\n{'name' if at == 'swapped' else 'query'}")
            part = probes[probes["position"] == at]
            if part.empty:
                say(place, "no probe passes")
                continue
            image = draw_panel(
                place, Panel(numbered(part), "", "component"), scale_of(probes, 0.995)
            )
        figure.colorbar(
            image, ax=axes[len(receivers) :], label="recovery", orientation="horizontal",
            fraction=0.05, pad=0.02, extend="both",
        )  # fmt: skip
        axes[0].set_ylabel("layer")
        for place in axes:
            place.set_xlabel("head")
        return figure


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """Heads by their numbers alone: short ticks."""
    return table.assign(component=table["component"].str[1:])
