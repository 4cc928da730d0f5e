"""Knockouts against random sets, under three kinds of ablation (definitions 8)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.fig08_prompt_knockout import MIN_CONTROL
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    ACCENT,
    COLUMN,
    NEUTRAL,
    OPERATOR_COLOURS,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval, sign_flip_p_values

SET = ["n_neurons", "n_unmapped", "norm"]
BY_HEURISTIC = [
    "heuristic", "ablation", "condition", *SET, "baseline_associated", "associated",
    "baseline_other", "other",
]  # fmt: skip
BY_PROMPT = ["a", "b", "ablation", "condition", "limit", *SET, "correct"]
COLUMNS = [
    "operator", "knockout", "limit", "ablation", "condition", "drop", "low", "high", "n",
    *SET, "p_value", "drawn",
]  # fmt: skip
ROWS = {
    "by_heuristic": "one heuristic:\naccuracy lost on its prompts\nmore than on others",
    "by_prompt": "a prompt's heuristics:\naccuracy lost",
}
NOTHING = {
    "by_heuristic": "no heuristic has\nenough neurons\nto be knocked out",
    "by_prompt": "no prompt has neurons\nof heuristics",
}
MARKS = {
    "heuristic": ("o", "neurons of heuristics"),
    "matched": ("s", "random, matched in layer, number and norm"),
    "control": ("^", "random, other top neurons"),
}
ORDER = ["zero", "mean", "resample"]
SPREAD = 0.2
BOOTSTRAP_SEED = 0


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the knockouts by heuristic and by prompt of every operator."""
    parts = []
    for operator, path in one_per_operator(inputs, "by_heuristic", operators).items():
        rng = generator(BOOTSTRAP_SEED, "fig_knockout_controls", "by_heuristic", operator)
        knockouts = store.read_table(path, BY_HEURISTIC)
        parts.append(tabulate_heuristics(knockouts, rng).assign(operator=operator))
    for operator, path in one_per_operator(inputs, "by_prompt", operators).items():
        rng = generator(BOOTSTRAP_SEED, "fig_knockout_controls", "by_prompt", operator)
        knockouts = store.read_table(path, BY_PROMPT)
        parts.append(tabulate_prompts(knockouts, rng).assign(operator=operator))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)[COLUMNS]
    return Drawn(draw_controls(table, operators), table)


def tabulate_heuristics(knockouts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Mean over heuristics of the accuracy lost on associated prompts minus that on others.

    Random sets of a heuristic are averaged first. 95 % bootstrap intervals and p over heuristics.
    """
    lost = (knockouts["baseline_associated"] - knockouts["associated"]) - (
        knockouts["baseline_other"] - knockouts["other"]
    )
    each = knockouts.assign(drop=lost)
    return _tabulate(each, ["heuristic"], rng).assign(knockout="by_heuristic", limit=np.nan)


def tabulate_prompts(knockouts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Mean over prompts of the accuracy lost at the largest limit, compared with the limit 0.

    95 % bootstrap intervals and p over prompts.
    """
    limit = knockouts["limit"].max() if len(knockouts) else np.nan
    key = ["a", "b", "ablation", "condition"]
    intact = knockouts[knockouts["limit"] == 0].set_index(key)["correct"].astype(float)
    last = knockouts[knockouts["limit"] == limit].set_index(key)
    each = last.assign(drop=intact.reindex(last.index) - last["correct"].astype(float))
    table = _tabulate(each.reset_index(), ["a", "b"], rng)
    return table.assign(knockout="by_prompt", limit=limit)


def _tabulate(each: pd.DataFrame, unit: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Mean drop of every ablation and condition over units, which are resampled."""
    rows = [row for kind in ORDER for row in _kind_rows(each[each["ablation"] == kind], unit, rng)]
    kept = [name for name in COLUMNS if name not in ("operator", "knockout", "limit")]
    return pd.DataFrame(rows, columns=kept)


def _kind_rows(
    each: pd.DataFrame, unit: list[str], rng: np.random.Generator
) -> Iterator[tuple[object, ...]]:
    """The rows of one kind of ablation; p is that of the random sets' drop being as large.

    A sign-flip test of the differences; a control that is too small has none, and is not drawn.
    Nothing is drawn where no neuron was silenced.
    """
    means = each.groupby([*unit, "condition"], sort=True)[["drop", *SET]].mean()
    drops = means["drop"].unstack("condition")
    sizes = means[SET].groupby("condition").mean()
    wanted = sizes["n_neurons"].get("heuristic", 0.0)
    for condition in [name for name in MARKS if name in drops]:
        drop = drops[condition].to_numpy(dtype=np.float64)
        low, high = bootstrap_mean_interval(drop, rng)
        size = sizes.loc[condition]
        drawn = wanted > 0 and size["n_neurons"] >= MIN_CONTROL * wanted
        p = np.nan
        if condition != "heuristic" and drawn:
            p = _p_value(drops["heuristic"].to_numpy(dtype=np.float64) - drop, rng)
        ends = (float(drop.mean()), float(low), float(high), len(drop))
        yield each["ablation"].iloc[0], condition, *ends, *size, p, bool(drawn)


def _p_value(difference: Float[np.ndarray, " unit"], rng: np.random.Generator) -> float:
    return float(sign_flip_p_values(difference, rng))


def draw_controls(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """A column an operator, a row a kind of knockout; below each ablation p of the matched sets."""
    with style():
        if table.empty:
            return message_figure("nothing was knocked out:\nno prompts")
        figure = new_figure(PAGE if len(operators) > 1 else COLUMN, 3.6)
        grid = figure.subplots(2, len(operators), squeeze=False, sharey="row")
        for line, (name, label) in zip(grid, ROWS.items(), strict=True):
            for operator, axes in zip(operators, line, strict=True):
                held = (table["operator"] == operator) & (table["knockout"] == name)
                own = table[held & table["drawn"].astype(bool)]
                axes.set_title(operator_title(operator))
                if own.empty:
                    say(axes, NOTHING[name])
                    continue
                _panel(axes, own, OPERATOR_COLOURS[operator])
                axes.set_title(f"{operator_title(operator)}\n{_count(own, name)}", linespacing=1.4)
            shown = [axes for axes in line if axes.axison]
            if shown:
                shown[0].tick_params(labelleft=True)
                shown[0].set_ylabel(label)
        _legend(figure, table)
        return figure


def _count(rows: pd.DataFrame, name: str) -> str:
    n = int(rows["n"].iloc[0])
    if name == "by_heuristic":
        return f"{n} heuristics" if n != 1 else "1 heuristic"
    return f"{n} prompts, {int(rows['limit'].iloc[0])} per layer"


def _panel(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    kinds = [kind for kind in ORDER if kind in set(rows["ablation"])]
    conditions = [name for name in MARKS if name in set(rows["condition"])]
    axes.axhline(0.0, color=NEUTRAL, linewidth=0.5, linestyle=":")
    for place, condition in enumerate(conditions):
        own = rows[rows["condition"] == condition]
        x = own["ablation"].map(kinds.index) + (place - (len(conditions) - 1) / 2) * SPREAD
        ink = colour if condition == "heuristic" else ACCENT
        axes.vlines(x, own["low"], own["high"], color=ink, linewidth=0.9)
        axes.plot(
            x, own["drop"], linestyle="none", marker=MARKS[condition][0], color=ink,
            markerfacecolor=ink if condition == "heuristic" else "white", markeredgewidth=0.6,
        )  # fmt: skip
    p_values = rows[rows["condition"] == "matched"].set_index("ablation")["p_value"]
    words = [f"{kind}\n{_p_text(p_values.get(kind, np.nan))}" for kind in kinds]
    axes.set_xticks(range(len(kinds)), words)
    axes.set_xlim(-0.5, len(kinds) - 0.5)


def _p_text(p: float) -> str:
    """A p-value below an axis: p .031, or p <.001."""
    if np.isnan(p):
        return "p –"
    return "p <.001" if p < 0.001 else f"p {p:.3f}".replace("0.", ".", 1)


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    held = set(table.loc[table["drawn"].astype(bool), "condition"])
    names = [name for name in MARKS if name in held]
    handles = [
        Line2D(
            [], [], linestyle="none", marker=MARKS[name][0], color=ACCENT, markeredgewidth=0.6,
            markerfacecolor=ACCENT if name == "heuristic" else "white",
        )
        for name in names
    ]  # fmt: skip
    labels = [MARKS[name][1] for name in names]
    figure.legend(handles, labels, ncols=3, loc="outside upper center", columnspacing=1.2)
