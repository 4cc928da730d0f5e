"""Attribution against the truth: what single neurons do when patched, and what gradients say."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.reading import EXACT_KIND, one_per_operator
from pipeline_lib.figures.style import (
    COLUMN,
    NEUTRAL,
    PAGE,
    SMALL,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.neurons.agreement import EVERY_LAYER, agreement
from pipeline_lib.rng import generator
from pipeline_lib.stats import nested_mean_interval

ESTIMATES = {"gradient": "attribution", "integrated": "integrated gradients"}
COLOURS = {"gradient": "#E69F00", "integrated": "#0072B2"}
MARKERS = {"gradient": "o", "integrated": "s"}
TRUTHS = ("log_odds", "indirect_effect")
COLUMNS = [
    "operator", "panel", "estimate", "truth", "measure", "layer", "k", "value", "low", "high",
    "chance", "n_neurons", "n_prompts", "neuron", "weight", "exact", "exact_low", "exact_high",
    "indirect_effect", "gradient", "integrated",
]  # fmt: skip
BOOTSTRAP_SEED = 0
NOTHING = "no operator has correct prompts:\nno neuron was patched"
RASTER_FROM = 2000


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the exact effects of every operator."""
    files = one_per_operator(inputs, "exact", operators)
    parts = [tabulate_truth(operator, path) for operator, path in files.items()]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_truth(table, operators), table[COLUMNS])


def tabulate_truth(operator: str, path: str) -> pd.DataFrame:
    """Mean effects of one operator's patched neurons, and how the estimates agree with them.

    panel "neuron": exact is the mean of half the change of log P(r')/P(r) (nats) with its 95 %
    bootstrap interval, indirect_effect the mean of eq. 1, gradient and integrated the means of the
    estimates. panel "agreement": rows of `agreement`, with both truths. No rows without prompts.
    """
    with store.open_artifact(path, EXACT_KIND) as artifact:
        n_seeds = len(artifact.coords("seed"))
        effects = {name: _by_seed(artifact.read(name), n_seeds) for name in ESTIMATES}
        effects["log_odds"] = -_by_seed(artifact.read("log_odds_change"), n_seeds) / 2
        effects["indirect_effect"] = _by_seed(artifact.read("indirect_effect"), n_seeds)
        units = {name: artifact.read(name) for name in ("layer", "neuron", "weight")}
    n_prompts = effects["log_odds"].shape[1]
    if not n_prompts:
        return pd.DataFrame(columns=COLUMNS)
    neurons = _neurons(operator, effects, units)
    agreements = _agreements(operator, effects, units)
    table = pd.concat([neurons, agreements], ignore_index=True)
    return table.assign(operator=operator, n_prompts=n_prompts).reindex(columns=COLUMNS)


def _by_seed(values: np.ndarray, n_seeds: int) -> Float[np.ndarray, "seed prompt neuron"]:
    finite = np.where(np.isfinite(values), values, 0.0)
    shape = (n_seeds, len(values) // n_seeds, values.shape[1])
    return finite.reshape(shape).astype(np.float64)


def _neurons(
    operator: str, effects: dict[str, np.ndarray], units: dict[str, np.ndarray]
) -> pd.DataFrame:
    rng = generator(BOOTSTRAP_SEED, "attribution_truth", operator)
    low, high = nested_mean_interval(effects["log_odds"], rng)
    means = {name: values.mean(axis=(0, 1)) for name, values in effects.items()}
    exact = {"exact": means.pop("log_odds"), "exact_low": low, "exact_high": high}
    return pd.DataFrame({"panel": "neuron", **units, **exact, **means})


def _agreements(
    operator: str, effects: dict[str, np.ndarray], units: dict[str, np.ndarray]
) -> pd.DataFrame:
    parts = []
    for truth in TRUTHS:
        for name in ESTIMATES:
            rng = generator(BOOTSTRAP_SEED, "attribution_agreement", operator)
            found = agreement(effects[truth], effects[name], units["layer"], units["weight"], rng)
            parts.append(found.assign(panel="agreement", truth=truth, estimate=name))
    return pd.concat(parts, ignore_index=True)


def draw_truth(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """A column an operator: the neurons, rank correlation by layer, overlap of the top k."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(PAGE if len(operators) > 1 else COLUMN, 5.0)
        rows = figure.subplots(3, len(operators), squeeze=False, height_ratios=[1.25, 1, 1])
        for column, operator in enumerate(operators):
            panels = rows[:, column]
            panels[0].set_title(operator_title(operator))
            mine = table[table["operator"] == operator]
            if mine.empty:
                for axes in panels:
                    say(axes, "no correct prompts")
                continue
            agreements = mine[(mine["panel"] == "agreement") & (mine["truth"] == TRUTHS[0])]
            _scatter(panels[0], mine[mine["panel"] == "neuron"], agreements)
            _correlations(panels[1], agreements[agreements["measure"] == "spearman"])
            _overlaps(panels[2], agreements[agreements["measure"] == "overlap"])
        _name_axes(rows, [operator in set(table["operator"]) for operator in operators])
        _legend(figure)
        return figure


def _scatter(axes: Axes, neurons: pd.DataFrame, agreements: pd.DataFrame) -> None:
    """Estimates against the exact effect, on scales that are linear up to a typical effect."""
    exact = neurons["exact"].to_numpy()
    middle = 2 * float(np.median(np.abs(exact))) or 1.0
    for name, colour in COLOURS.items():
        axes.scatter(
            exact, neurons[name], s=3, color=colour, marker=MARKERS[name], linewidths=0, alpha=0.5,
            rasterized=len(neurons) > RASTER_FROM,
        )  # fmt: skip
    values = neurons[["exact", *ESTIMATES]].to_numpy()
    ends = np.array([values.min(), values.max()]) * 1.3
    axes.plot(ends, ends, color=NEUTRAL, linewidth=0.5, zorder=0)
    for scale in (axes.set_xscale, axes.set_yscale):
        scale("symlog", linthresh=middle, linscale=0.6)
    axes.set(xlim=ends, ylim=ends)
    _few_ticks(axes, ends, middle)
    found = {row["estimate"]: row["value"] for row in _over_all(agreements, "pearson")}
    for line, (name, colour) in enumerate(COLOURS.items()):
        axes.text(
            0.03, 0.97 - 0.09 * line, f"r = {found[name]:.2f}", transform=axes.transAxes,
            va="top", fontsize=SMALL, color=colour,
        )  # fmt: skip


def _over_all(agreements: pd.DataFrame, measure: str) -> list[dict[Any, Any]]:
    rows = (agreements["measure"] == measure) & (agreements["layer"] == EVERY_LAYER)
    return agreements[rows].to_dict("records")


def _few_ticks(axes: Axes, ends: np.ndarray, middle: float) -> None:
    """Zero, and powers of ten beyond the linear part."""
    powers = [float(10**n) for n in range(-6, 6) if 10**n > middle]
    ticks = sorted({0.0, *(s * p for s in (-1, 1) for p in powers if ends[0] < s * p < ends[1])})
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)


def _correlations(axes: Axes, rows: pd.DataFrame) -> None:
    """Rank correlation in every layer with its interval, and over all of them at the right."""
    layers = sorted(set(rows["layer"]) - {EVERY_LAYER})
    place = {layer: x for x, layer in enumerate([*layers, EVERY_LAYER])}
    for shift, (name, colour) in zip((-0.12, 0.12), COLOURS.items(), strict=True):
        mine = rows[rows["estimate"] == name]
        x = mine["layer"].map(place).to_numpy() + shift
        axes.vlines(x, mine["low"], mine["high"], color=colour, linewidth=0.8)
        axes.plot(x, mine["value"], MARKERS[name], color=colour)
    axes.axhline(0, color=NEUTRAL, linewidth=0.5, linestyle="--", zorder=0)
    step = max(1, -(-len(layers) // 8))
    axes.set_xticks([place[layer] for layer in [*layers[::step], EVERY_LAYER]])
    axes.set_xticklabels([*(str(int(layer)) for layer in layers[::step]), "all"])
    axes.set_xlabel("layer")
    axes.set_ylim(min(-0.05, float(rows["low"].min()) - 0.05), 1.05)


def _overlaps(axes: Axes, rows: pd.DataFrame) -> None:
    """Overlap of the top k, mean over layers, with its interval and that of random sets."""
    every = rows[rows["layer"] == EVERY_LAYER]
    for name, colour in COLOURS.items():
        mine = every[every["estimate"] == name]
        axes.fill_between(mine["k"], mine["low"], mine["high"], color=colour, alpha=0.2, lw=0)
        axes.plot(mine["k"], mine["value"], color=colour, marker=MARKERS[name])
    chance = every.drop_duplicates("k")
    axes.plot(chance["k"], chance["chance"], color=NEUTRAL, linestyle="--", linewidth=0.8)
    axes.set_xscale("log")
    sizes = chance["k"].astype(int).tolist()
    axes.set_xticks(sizes, [str(k) for k in sizes])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="k of a layer's neurons", ylim=(-0.05, 1.05))


def _name_axes(rows: np.ndarray, filled: Sequence[bool]) -> None:
    labels = ("estimate", "rank correlation", "shared of the top k")
    first = filled.index(True)
    for axes, label in zip(rows[:, first], labels, strict=True):
        axes.set_ylabel(label)
    for column in np.flatnonzero(filled):
        rows[0, column].set_xlabel("exact effect (nats)")


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=COLOURS[name], marker=MARKERS[name], linestyle="")
        for name in ESTIMATES
    ]
    handles.append(Line2D([], [], color=NEUTRAL, linestyle="--", linewidth=0.8))
    names = [*ESTIMATES.values(), "chance"]
    figure.legend(handles, names, ncols=3, loc="outside upper center", columnspacing=1.2)
