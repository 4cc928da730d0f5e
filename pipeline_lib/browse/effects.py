"""Indirect-effect map: mean, interval and rank of every head and MLP, at every position."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.browse import plots
from pipeline_lib.browse.page import Page, number, numbers, read_template
from pipeline_lib.browse.sources import artifact_source
from pipeline_lib.figures.fig02_localization import MIN_MEAN, POSITION_TICKS
from pipeline_lib.figures.reading import (
    EFFECTS_KIND,
    Effects,
    finite_mean,
    per_operator,
    read_effects,
)
from pipeline_lib.figures.style import operator_title
from pipeline_lib.rng import generator
from pipeline_lib.stats import ends_of, nested_means

ALL = "all"
BOOTSTRAP_SEED = 0
RESAMPLES = 2000
N_LISTED = 20
COLUMNS = ["operator", "position", "layer", "component", "mean", "low", "high", "rank", "n_prompts"]
ABOUT = (
    "Indirect effect (paper equation 1; no units) of patching one attention head or MLP at one "
    "position: mean over discovery prompts and counterfactual seeds, with its 95 % bootstrap "
    "interval over seeds and the prompts within them. All operators: mean of the operators' "
    "means. Rank: among all components at this position."
)
SCALES = {"log1p": "log(1 + mean)", "mean": "mean"}


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Page:
    """The page from the effects of every operator and seed."""
    files = per_operator(inputs, "effects", operators)
    effects = {operator: read_effects(paths) for operator, paths in files.items()}
    table = tabulate_effects(effects)
    choices = [(ALL, "all operators"), *((op, operator_title(op)) for op in operators)]
    views = {name: operator_view(table[table["operator"] == name]) for name, _ in choices}
    return Page(
        name="effects",
        about=ABOUT,
        sources=[artifact_source(path, EFFECTS_KIND) for paths in files.values() for path in paths],
        body=read_template("effects.html"),
        script=read_template("effects.js"),
        data={
            "operators": choices,
            # from the answer backwards: most heads act at "="
            "positions": [[name, POSITION_TICKS[name]] for name in _positions(effects)[::-1]],
            "scales": [*SCALES.items()],
            "views": views,
            "seeds": max(len(found.seeds) for found in effects.values()),
            "heatmap": plots.heatmap(
                "%{customdata[0]}<br>mean %{customdata[1]}, 95 % interval %{customdata[2]}<br>"
                "rank %{customdata[3]}<br>n = %{customdata[4]} prompts",
                "indirect effect", "sequential",
            ),
            "layout": plots.layout("component", "layer", square=False),
        },
        preview=preview(views[ALL]),
    )  # fmt: skip


def _positions(effects: Mapping[str, Effects]) -> list[str]:
    return next(iter(effects.values())).positions


# numbers ---------------------------------------------------------------------------------------


def tabulate_effects(effects: Mapping[str, Effects]) -> pd.DataFrame:
    """Mean, interval and rank of every cell for each operator with prompts, then ALL (`COLUMNS`).

    Values that are not finite are left out of the means. Every operator weighs the same in ALL.
    Rank 1 is the largest mean of an operator and position; cells without a mean have none.
    """
    filled = {name: found for name, found in effects.items() if found.n_prompts}
    parts, means, draws = [], [], []
    for name, found in filled.items():
        mean, drawn = resample(found, generator(BOOTSTRAP_SEED, "browse_effects", name))
        means.append(mean)
        draws.append(drawn)
        parts.append(_rows(name, found, mean, drawn, found.n_prompts))
    if not filled:
        return pd.DataFrame(columns=COLUMNS)
    n_prompts = sum(found.n_prompts for found in filled.values())
    mean, drawn = np.mean(means, axis=0), np.mean(draws, axis=0)
    parts.append(_rows(ALL, next(iter(filled.values())), mean, drawn, n_prompts))
    table = pd.concat(parts, ignore_index=True)
    groups = table.groupby(["operator", "position"], sort=False)["mean"]
    return table.assign(rank=groups.rank(ascending=False, method="first"))[COLUMNS]


def resample(
    effects: Effects, rng: np.random.Generator
) -> tuple[
    Float[np.ndarray, "position layer component"], Float[np.ndarray, "n position layer component"]
]:
    """Mean over prompts and seeds, and the same of resampled seeds and prompts."""
    mean = finite_mean(np.concatenate(effects.seeds))
    return mean, nested_means(np.stack(effects.seeds), rng, RESAMPLES)


def _rows(
    name: str, effects: Effects, mean: np.ndarray, drawn: np.ndarray, n_prompts: int
) -> pd.DataFrame:
    low, high = ends_of(drawn)
    index = pd.MultiIndex.from_product(
        (effects.positions, effects.layers, effects.components),
        names=["position", "layer", "component"],
    )
    cells = pd.DataFrame(
        {"mean": mean.ravel(), "low": low.ravel(), "high": high.ravel()}, index=index
    )
    return cells.reset_index().assign(operator=name, n_prompts=n_prompts)


# words -----------------------------------------------------------------------------------------


def operator_view(table: pd.DataFrame) -> dict[str, Any]:
    """What is shown of one operator at every position; empty for one without prompts."""
    if table.empty:
        return {}
    groups = table.groupby("position", sort=False)
    return {
        "n": f"{table['n_prompts'].iloc[0]:,} prompts",
        "positions": {position: position_view(rows) for position, rows in groups},
    }


def position_view(table: pd.DataFrame) -> dict[str, Any]:
    """One position: values and texts [layer, component], and the components from rank 1 down.

    Colours reach from 0, or the smallest mean below, to the largest mean.
    """
    components = [component_title(name) for name in table["component"].drop_duplicates()]
    mean = table["mean"].to_numpy(np.float64)
    values = {"mean": mean, "log1p": np.log1p(np.maximum(mean, MIN_MEAN))}
    texts = [describe_cell(row, len(table)) for row in table.to_dict("records")]
    return {
        "layers": [str(layer) for layer in table["layer"].drop_duplicates()],
        "components": components,
        **{name: numbers(column.reshape(-1, len(components))) for name, column in values.items()},
        "limits": {name: _limits(column) for name, column in values.items()},
        "clipped": int((mean < MIN_MEAN).sum()),
        "texts": [texts[n : n + len(components)] for n in range(0, len(texts), len(components))],
        "ranked": [texts[n][:-1] for n in np.argsort(table["rank"].to_numpy())[:N_LISTED]],
    }


def _limits(values: Float[np.ndarray, " cell"]) -> list[float | None]:
    held = values[np.isfinite(values)]
    top = max(float(held.max()), 0.0) if len(held) else 0.0
    return [number(min(0.0, float(held.min())) if len(held) else 0.0), number(top or 1.0)]


def component_title(name: str) -> str:
    """Name of a component on an axis: the head's number, or MLP."""
    return "MLP" if name == "mlp" else name.replace("head_", "H")


def describe_cell(row: Mapping[str, Any], n_components: int) -> list[str]:
    """Name, mean, interval, rank and number of prompts of one component at one position."""
    title = component_title(row["component"])
    name = f"L{row['layer']} MLP" if title == "MLP" else f"L{row['layer']}{title}"
    if not np.isfinite(row["mean"]):
        return [name, "–", "–", "–", f"{row['n_prompts']:,}"]
    interval = f"[{row['low']:.4g}, {row['high']:.4g}]"
    rank = f"{int(row['rank'])} of {n_components}"
    return [name, f"{row['mean']:.4g}", interval, rank, f"{row['n_prompts']:,}"]


def preview(view: Mapping[str, Any]) -> dict[str, Any]:
    """The last position of all operators, in logarithm."""
    if not view:
        return plots.message("no operator has correct prompts: no effect was measured")
    position, shown = list(view["positions"].items())[-1]
    low, high = shown["limits"]["log1p"]
    trace = plots.heatmap("%{z:.3g}", SCALES["log1p"], "sequential", zmin=low, zmax=high)
    trace |= {"z": shown["log1p"], "x": shown["components"], "y": shown["layers"]}
    look = plots.layout("component", "layer", square=False)
    look["yaxis"]["type"] = "category"
    return plots.preview(trace, look, f'Indirect effect at "{POSITION_TICKS[position]}"')
