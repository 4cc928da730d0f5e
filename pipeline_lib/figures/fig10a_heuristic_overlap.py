"""Figure 10a: how many of the final (neuron, heuristic) pairs checkpoints have already."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.checkpoints.pairs import expected_by_chance, n_in_common
from pipeline_lib.figures.over_training import (
    all_names,
    draw_band,
    draw_line,
    panels_over_training,
)
from pipeline_lib.figures.reading import one_per_operator, paths, read_matches
from pipeline_lib.figures.style import (
    NEUTRAL,
    OPERATOR_COLOURS,
    OPERATOR_MARKERS,
    Drawn,
    message_figure,
    say,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_ratio_interval

COLUMNS = [
    "operator", "checkpoint", "final_pairs", "pairs", "in_common", "share", "low", "high", "chance",
    "kept", "kept_low", "kept_high", "accuracy", "n_prompts",
]  # fmt: skip
BOOTSTRAP_SEED = 0


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the matches of all checkpoints and of the final model, and all labels."""
    found = store.read_table(paths(inputs["matches"])[0], ["checkpoint", "operator"])
    width = store.read_json(paths(inputs["manifest"])[0])["shape"]["d_mlp"]
    names, labelled = all_names(settings), paths(inputs["labelled"])
    final = {
        operator: read_matches(path, settings["kind"])
        for operator, path in one_per_operator(inputs, "final", operators).items()
    }
    rows = []
    for (name, operator), path in zip(product(names, operators), labelled, strict=True):
        own = (found["checkpoint"] == name) & (found["operator"] == operator)
        matches = final[operator] if name == FINAL else found[own]
        overlap = measure_overlap(matches, final[operator], width, operator, name)
        where = {"operator": operator, "checkpoint": name}
        rows.append(where | overlap | accuracy_of(path))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = pd.concat([table[table["operator"] == op] for op in operators], ignore_index=True)
    return Drawn(draw_overlap(table, operators, names), table)


def accuracy_of(path: str) -> dict[str, Any]:
    """Share of the valid prompts answered right (NaN for none), and how many there are."""
    correct = store.read_table(path, ["label"])["label"] == "correct"
    return {"accuracy": float(correct.mean()), "n_prompts": len(correct)}


def measure_overlap(
    matches: pd.DataFrame, final: pd.DataFrame, n_neurons: int, *names: str
) -> dict[str, Any]:
    """What a checkpoint's pairs and the final model's have in common (the columns to kept_high).

    ``n_neurons`` are those of a layer; ``names`` name the random draws. Intervals are those of a
    bootstrap over neurons, whose pairs hang together. NaN where a side has no pairs.
    """
    forward, backward = n_in_common(matches, final), n_in_common(final, matches)
    chance = expected_by_chance(matches, final, n_neurons) / len(final) if len(final) else np.nan
    counts = {"final_pairs": len(final), "pairs": len(matches)}
    counts["in_common"] = int(forward["shared"].sum())
    share = _share_with_interval(forward, "share", *names)
    kept = _share_with_interval(backward, "kept", *names)
    return {
        **counts,
        **dict(zip(("share", "low", "high"), share, strict=True)),
        "chance": chance,
        **dict(zip(("kept", "kept_low", "kept_high"), kept, strict=True)),
    }


def _share_with_interval(counted: pd.DataFrame, *purpose: str) -> tuple[float, float, float]:
    part, whole = (counted[column].to_numpy(dtype=np.float64) for column in ("shared", "pairs"))
    if not len(whole):
        return np.nan, np.nan, np.nan
    rng = generator(BOOTSTRAP_SEED, "fig10a", *purpose)
    return float(part.sum() / whole.sum()), *bootstrap_ratio_interval(part, whole, rng)


def draw_overlap(table: pd.DataFrame, operators: Sequence[str], names: Sequence[str]) -> Figure:
    """A panel an operator: share of the final pairs, what stays of a checkpoint's, chance."""
    with style():
        if not table["final_pairs"].any():
            return message_figure("no neuron of the final model\nmatches any heuristic")
        label = "share of (neuron, heuristic) pairs"
        figure, panels = panels_over_training(operators, names, label)
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows["final_pairs"].any():
                _panel(axes, rows, names, operator)
            else:
                say(axes, "no neuron of the final model\nmatches any heuristic")
        next(iter(panels.values())).set_ylim(-0.03, 1.05)
        figure.legend(*_legend(), ncols=4, loc="outside upper center", columnspacing=1.2)
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, names: Sequence[str], operator: str) -> None:
    colour, marker = OPERATOR_COLOURS[operator], OPERATOR_MARKERS[operator]
    draw_line(axes, rows, names, "accuracy", NEUTRAL, linewidth=0.8, alpha=0.6)
    draw_line(axes, rows, names, "chance", "black", linestyle=":", linewidth=0.9)
    draw_band(axes, rows, names, colour, ("kept_low", "kept_high"))
    open_marker = {"marker": marker, "markerfacecolor": "white", "markeredgewidth": 0.8}
    draw_line(axes, rows, names, "kept", colour, linestyle="--", linewidth=0.9, **open_marker)
    draw_band(axes, rows, names, colour)
    draw_line(axes, rows, names, "share", colour, marker=marker)


def _legend() -> tuple[list[Line2D], list[str]]:
    styles: dict[str, dict[str, Any]] = {
        "final pairs that are there already": {"color": "black", "marker": "o"},
        "own pairs that the final model has": {
            "color": "black", "marker": "o", "linestyle": "--", "markerfacecolor": "white",
            "linewidth": 0.9,
        },
        "the first, by chance": {"color": "black", "linestyle": ":"},
        "accuracy of the checkpoint": {"color": NEUTRAL, "alpha": 0.6, "linewidth": 0.8},
    }  # fmt: skip
    return [Line2D([], [], **options) for options in styles.values()], list(styles)
