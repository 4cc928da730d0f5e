"""Stability of circuits: overlap of the heads and neurons that resampled prompts would give."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.circuits.stability import Overlaps, expected_jaccard, top_overlaps
from pipeline_lib.figures.reading import (
    ATTRIBUTION_KIND,
    EXACT_KIND,
    finite_mean,
    one_per_operator,
    paths,
    per_operator,
    read_effects,
)
from pipeline_lib.figures.style import (
    COLUMN,
    NEUTRAL,
    OPERATOR_COLOURS,
    Drawn,
    message_figure,
    new_figure,
    say,
    style,
)
from pipeline_lib.neurons.importance import first_layer
from pipeline_lib.probing.readable import resolve_first_layer
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS

COLUMNS = ["operator", "what", "compared", "size", "of", "mean", "low", "high", "chance"]
PANELS = {"heads": "heads of the circuit", "neurons": "top neurons"}
COMPARED = {"full": "with all data", "pairs": "of two resamples"}
MARKERS = {"full": "o", "pairs": "D"}
BOOTSTRAP_SEED = 0
NOTHING = "no operator has correct prompts:\nthere is no circuit"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the effects, circuits and attribution of every operator."""
    effects = per_operator(inputs, "effects", operators)
    circuits = one_per_operator(inputs, "circuits", operators)
    ranked = bool(paths(inputs.get("exact", [])))
    neurons = one_per_operator(inputs, "exact" if ranked else "attribution", operators)
    probes = [store.read_table(path) for path in paths(inputs.get("probes", []))]
    chosen = resolve_first_layer(settings["neurons"], probes)
    parts = []
    for operator in operators:
        size = len(store.read_table(circuits[operator], ["head"]))
        parts.append(_rows(operator, "heads", head_overlaps(operator, effects[operator], size)))
        found = neuron_overlaps(operator, neurons[operator], chosen, is_exact=ranked)
        parts.append(_rows(operator, "neurons", found))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_stability(table, operators), table)


def head_overlaps(operator: str, files: Sequence[str], size: int) -> Overlaps | None:
    """Overlaps of the ``size`` heads with the largest effect, as circuits rank them."""
    effects = read_effects(files)
    if not effects.n_prompts or not size:
        return None
    seeds = np.stack([finite_mean(np.moveaxis(seed[..., :-1], 1, 0)) for seed in effects.seeds])
    rng = generator(BOOTSTRAP_SEED, "stability_heads", operator)
    return top_overlaps(seeds.reshape(*seeds.shape[:2], -1), size, "mean", rng)


def neuron_overlaps(
    operator: str, path: str, settings: dict[str, Any], *, is_exact: bool
) -> Overlaps | None:
    """Overlaps of the top neurons of all late layers together, as `rank_neurons` has them."""
    total: Overlaps | None = None
    with store.open_artifact(path, EXACT_KIND if is_exact else ATTRIBUTION_KIND) as artifact:
        n_seeds = len(artifact.coords("seed"))
        for effects in _late_layers(artifact, settings, is_exact=is_exact):
            if not len(effects):
                return None
            nested = effects.reshape(n_seeds, len(effects) // n_seeds, -1).astype(np.float64)
            size = min(settings["per_layer"], effects.shape[-1])
            # the resamples of all layers are the same
            rng = generator(BOOTSTRAP_SEED, "stability_neurons", operator)
            found = top_overlaps(nested, size, settings["importance"], rng)
            total = found if total is None else total + found
    return total


def _late_layers(
    artifact: store.Artifact, settings: dict[str, Any], *, is_exact: bool
) -> Iterator[Float[np.ndarray, "prompt neuron"]]:
    """Effects [prompt, neuron] of one late layer after the other."""
    if is_exact:
        layers, effects = artifact.read("layer"), -artifact.read("log_odds_change") / 2
        first = first_layer(settings["first_heuristics_layer"], int(artifact.read("shape")[0]))
        yield from (effects[:, layers == layer] for layer in np.unique(layers) if layer >= first)
        return
    n_layers = artifact.dataset("neurons_last").shape[1]
    for layer in range(first_layer(settings["first_heuristics_layer"], n_layers), n_layers):
        yield artifact.read("neurons_last", np.s_[:, layer])


def _rows(operator: str, what: str, overlaps: Overlaps | None) -> pd.DataFrame:
    if overlaps is None:
        return pd.DataFrame(columns=COLUMNS)
    found: dict[str, Float[np.ndarray, " set"]] = dict(
        zip(COMPARED, overlaps.jaccard(), strict=True)
    )
    return pd.DataFrame(
        [
            {
                "operator": operator, "what": what, "compared": name, "size": overlaps.size,
                "of": sum(n for n, _ in overlaps.groups), "mean": values.mean(),
                "low": np.quantile(values, 0.025), "high": np.quantile(values, 0.975),
                "chance": expected_jaccard(overlaps.groups),
            }
            for name, values in found.items()
        ],
        columns=COLUMNS,
    )  # fmt: skip


def draw_stability(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Mean overlap and the range of 95 % of the resamples, an operator beside the other."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(COLUMN, 2.2)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (what, title) in zip(panels, PANELS.items(), strict=True):
            axes.set_title(title)
            rows = table[table["what"] == what]
            if rows.empty:
                say(axes, "nothing was ranked")
                continue
            _draw(axes, rows, operators)
        panels[0].set(ylim=(-0.03, 1.05), ylabel="intersection over union")
        _legend(figure)
        return figure


def _draw(axes: Axes, rows: pd.DataFrame, operators: Sequence[str]) -> None:
    for row in rows.to_dict("records"):
        place = operators.index(row["operator"])
        x = place + {"full": -0.15, "pairs": 0.15}[row["compared"]]
        colour = OPERATOR_COLOURS[row["operator"]]
        axes.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=0.9)
        axes.plot(
            x, row["mean"], MARKERS[row["compared"]], color=colour,
            markerfacecolor=colour if row["compared"] == "full" else "white",
        )  # fmt: skip
        axes.plot([place - 0.35, place + 0.35], [row["chance"]] * 2, color=NEUTRAL, linestyle="--")
    signs = [OPERATORS[operator].sign for operator in operators]
    axes.set_xticks(range(len(operators)), signs)
    axes.set_xlim(-0.6, len(operators) - 0.4)


def _legend(figure: Figure) -> None:
    faces = {"full": NEUTRAL, "pairs": "white"}
    handles = [
        Line2D([], [], color=NEUTRAL, marker=marker, linestyle="", markerfacecolor=faces[name])
        for name, marker in MARKERS.items()
    ]
    handles.append(Line2D([], [], color=NEUTRAL, linestyle="--"))
    names = [*COMPARED.values(), "random sets"]
    figure.legend(handles, names, ncols=3, loc="outside upper center", columnspacing=1.0)
