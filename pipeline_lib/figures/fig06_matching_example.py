"""Figure 6: how a neuron is matched to a heuristic, step by step (paper appendix F)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.figures.planes import Frame, cell_means, choose_frame, show_map
from pipeline_lib.figures.reading import (
    NeuronMap,
    best_first,
    neuron_name,
    one_per_operator,
    own_heuristics,
    read_matches,
    read_neuron_map,
)
from pipeline_lib.figures.style import (
    DIVERGING,
    NEUTRAL,
    OPERATOR_COLOURS,
    PAGE,
    SMALL,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.heuristics.types import Heuristic

MATCH = ["operator", "layer", "neuron", "heuristic", "label", "map", "side", "score", "base_rate"]
MATCH += ["n_top", "n_overlap", "threshold"]
FRAME = ["first_a", "first_b", "cells", "step"]
COLUMNS = ["panel", *MATCH, *FRAME, "a", "b", "number", "value"]
INTEGERS = ["layer", "neuron", "n_top", "n_overlap", *FRAME, "a", "b", "number"]
MIN_BASE_RATE = 0.05
SETS = {
    "members": "prompts of the heuristic",
    "top": "top prompts of the map",
    "overlap": "in both",
}


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the maps and matches of every operator."""
    maps = one_per_operator(inputs, "maps", operators)
    files = one_per_operator(inputs, "matches", operators)
    match = choose_match(
        [read_matches(path, settings["kind"]).assign(operator=op) for op, path in files.items()]
    )
    if match is None:
        with style():
            text = "no neuron matches a heuristic:\nthere is no example of the matching"
            return Drawn(message_figure(text), pd.DataFrame(columns=COLUMNS))
    neuron = read_neuron_map(maps[match["operator"]], int(match["layer"]), int(match["neuron"]))
    threshold = None if settings.get("rule") == "fdr" else settings.get("threshold")
    table = tabulate_steps({**match, "threshold": threshold}, neuron)
    return Drawn(draw_steps(table), table)


def choose_match(matches: Sequence[pd.DataFrame]) -> dict[str, Any] | None:
    """The best match by chance-corrected score; None without any.

    If there are such, only neurons on their own best heuristic, only KV maps, and only heuristics
    of several numbers and at least ``MIN_BASE_RATE`` of the prompts: the sets are to be seen.
    """
    filled = [own_heuristics(part) for part in matches if len(part)]
    if not filled:
        return None
    every = pd.concat(filled, ignore_index=True)
    on_values = every[every["map"] == "KV"]
    seen = on_values[(on_values["base_rate"] >= MIN_BASE_RATE) & (on_values["type"] != "value")]
    pool = next(part for part in (seen, on_values, every) if len(part))
    return best_first(pool).iloc[0].to_dict()


def top_prompts(values: np.ndarray, count: int, side: str) -> np.ndarray:
    """Which prompts are the ``count`` with the highest (or, side "bottom", lowest) values."""
    chosen = np.zeros(len(values), dtype=bool)
    chosen[np.argsort(values if side == "bottom" else -values, kind="stable")[:count]] = True
    return chosen


def tabulate_steps(match: dict[str, Any], neuron: NeuronMap) -> pd.DataFrame:
    """The match in one row, then the drawn cells of every panel and the value logits (`COLUMNS`).

    Panels K, KV: mean value of a cell; members, top, overlap: share of a cell's prompts in the set.
    As many top prompts are taken as the heuristic has.
    """
    heuristic = Heuristic.from_name(match["heuristic"])
    frame = choose_frame(heuristic, neuron.prompts)
    member = heuristic.members(neuron.prompts)
    top = top_prompts(neuron.values(match["map"]), int(member.sum()), match["side"])
    layers = {
        "K": neuron.k,
        "KV": neuron.values("KV"),
        "members": member.astype(np.float32),
        "top": top.astype(np.float32),
        "overlap": (member & top).astype(np.float32),
    }
    counts = {"n_top": int(top.sum()), "n_overlap": int((member & top).sum())}
    row = {"panel": "match", **match, **counts}
    row |= dict(zip(FRAME, frame.as_tuple(), strict=True))
    logits = pd.DataFrame(
        {"panel": "value_logits", "number": np.arange(len(neuron.value_logits))}
    ).assign(value=neuron.value_logits)
    parts = [
        cell_means(neuron.prompts, values, frame).assign(panel=name)
        for name, values in layers.items()
    ]
    table = pd.concat([pd.DataFrame([row]), logits, *parts], ignore_index=True)
    return table.reindex(columns=COLUMNS).astype(dict.fromkeys(INTEGERS, "Int64"))


def draw_steps(table: pd.DataFrame) -> Figure:
    """Panels a-g: maps, value logits, the two sets of prompts, their overlap, the score."""
    match = table[table["panel"] == "match"].iloc[0]
    frame = Frame(*(int(match[name]) for name in FRAME))
    colour = OPERATOR_COLOURS[match["operator"]]
    with style():
        figure = new_figure(PAGE, 3.3)
        top, bottom = figure.subplots(2, 4)
        _summary(top[0], match)
        _map(figure, top[1], table, "K", frame, "a  K map: activation")
        _logits(top[2], table, colour)
        _map(figure, top[3], table, "KV", frame, "c  KV map: a × b(answer)")
        for axes, (name, title), letter in zip(bottom[:3], SETS.items(), "def", strict=True):
            show_map(axes, _cells(table, name), frame, colours="Greys", top=1.0)
            axes.set_title(f"{letter}  {title}")
        for axes in bottom[1:3]:
            axes.set_ylabel("")
        _score(bottom[3], match, colour)
        return figure


def _cells(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[table["panel"] == name].astype({"a": int, "b": int})


def _map(
    figure: Figure, axes: Axes, table: pd.DataFrame, name: str, frame: Frame, title: str
) -> None:
    image = show_map(axes, _cells(table, name), frame, colours=DIVERGING)
    axes.set_title(title)
    figure.colorbar(image, cax=axes.inset_axes((1.04, 0, 0.05, 1)))


def _logits(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    rows = table[table["panel"] == "value_logits"]
    axes.axhline(0, color="black", linewidth=0.4)
    axes.plot(rows["number"].astype(int), rows["value"], color=colour, linewidth=0.5)
    axes.set_title("b  value vector")
    axes.set(xlabel="number token", ylabel="logit")
    axes.set_box_aspect(1)


def _score(axes: Axes, match: pd.Series, colour: str) -> None:
    axes.bar([0, 1], [match["score"], match["base_rate"]], width=0.6, color=[colour, NEUTRAL])
    for place, value in enumerate((match["score"], match["base_rate"])):
        axes.annotate(
            f"{value:.2f}", (place, value), xytext=(0, 1.5), textcoords="offset points",
            ha="center", fontsize=SMALL,
        )  # fmt: skip
    if pd.notna(match["threshold"]):
        axes.axhline(match["threshold"], color="black", linewidth=0.8, linestyle="--")
        axes.annotate(
            "threshold", (1.4, match["threshold"]), xytext=(0, 1.5), textcoords="offset points",
            ha="right", fontsize=SMALL,
        )  # fmt: skip
    axes.set_xticks([0, 1], ["score", "base rate"])
    axes.set_title("g  share of top prompts")
    axes.set(xlim=(-0.5, 1.5), ylim=(0, 1.12))
    axes.set_box_aspect(1)


def _summary(axes: Axes, match: pd.Series) -> None:
    neuron = neuron_name(int(match["layer"]), int(match["neuron"]))
    end = "highest" if match["side"] == "top" else "lowest"
    say(
        axes,
        f"{operator_title(match['operator'])}\nneuron {neuron}\n\n{match['label']}:\n"
        f"{match['n_top']} prompts\n\nof the {match['n_top']} prompts {end}\n"
        f"on the {match['map']} map,\n{match['n_overlap']} satisfy it",
        colour="black",
    )
