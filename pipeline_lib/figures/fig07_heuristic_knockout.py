"""Figure 7: accuracy without the neurons of one heuristic (definitions 8)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    ACCENT,
    NEUTRAL,
    OPERATOR_COLOURS,
    Drawn,
    accuracy_limits,
    message_figure,
    operator_panels,
    operator_title,
    say,
    style,
)
from pipeline_lib.stats import rank_p_value, wilson_interval

READ = ["heuristic", "label", "n_neurons", "n_associated", "n_other"]
ACCURACIES = ["baseline_associated", "associated", "baseline_other", "other"]
MAX_NAMED = 12
SIGNS = {"associated": "●", "other": "✕", "matched": "□"}
INTERVALS = ["associated_low", "associated_high", "other_low", "other_high"]
CHOSEN = ["ablation", "condition"]
MATCHED = ["matched", "matched_low", "matched_high", "n_draws", "p_value"]
COLUMNS = ["operator", "rank", *READ, *ACCURACIES, "drop", *INTERVALS, *MATCHED]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the knockouts by heuristic of every operator."""
    files = one_per_operator(inputs, "knockouts", operators)
    parts = [
        tabulate_knockouts(op, store.read_table(path, [*READ, *CHOSEN, *ACCURACIES]))
        for op, path in files.items()
    ]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_knockouts(table, operators), table)


def tabulate_knockouts(operator: str, knockouts: pd.DataFrame) -> pd.DataFrame:
    """Heuristics from the largest drop on their prompts down, with 95 % Wilson intervals.

    Of zero ablation. The drop is the baseline's accuracy on the associated prompts minus the
    accuracy after the knockout; equal drops are ordered by name. matched, _low, _high are the mean
    and the 2.5 and 97.5 % quantiles of the accuracy on them without each random set, p_value the
    rank of the drop among theirs (`COLUMNS`).
    """
    zero = knockouts[knockouts["ablation"] == "zero"]
    own = zero[zero["condition"] == "heuristic"]
    drop = own["baseline_associated"] - own["associated"]
    table = own.assign(operator=operator, drop=drop).sort_values(
        ["drop", "heuristic"], ascending=[False, True], ignore_index=True
    )
    drawn = zero[zero["condition"] == "matched"].groupby("heuristic")["associated"]
    groups = {name: group.to_numpy(dtype=np.float64) for name, group in drawn}
    found = [
        _against(float(accuracy), groups.get(name, np.empty(0)))
        for name, accuracy in zip(table["heuristic"], table["associated"], strict=True)
    ]
    table[MATCHED] = np.array(found, dtype=np.float64).reshape(-1, len(MATCHED))
    table["rank"] = np.arange(1, len(table) + 1)
    for side in ("associated", "other"):
        low, high = wilson_interval(
            table[side].to_numpy(dtype=np.float64), table[f"n_{side}"].to_numpy(dtype=np.int64)
        )
        table[f"{side}_low"], table[f"{side}_high"] = low, high
    return table[COLUMNS]


def _against(
    accuracy: float, drawn: Float[np.ndarray, " draw"]
) -> tuple[float, float, float, int, float]:
    """Mean and quantiles of what random sets leave, their number, p (`MATCHED`)."""
    if not len(drawn):
        return float("nan"), float("nan"), float("nan"), 0, float("nan")
    low, high = np.quantile(drawn, [0.025, 0.975])
    p = rank_p_value(accuracy, drawn, larger=False)
    return float(drawn.mean()), float(low), float(high), len(drawn), p


def draw_knockouts(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Accuracy of each heuristic, a panel an operator; means and intact accuracy as lines.

    Few heuristics are named below the axis, many are counted.
    """
    sizes = table["operator"].value_counts()
    with style():
        if table.empty:
            return message_figure("no heuristic has enough neurons\nto be knocked out")
        names = 1.0 if (sizes <= MAX_NAMED).any() else 0.0
        figure, panels = operator_panels(operators, 2.1 + names, sharey=True)
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows.empty:
                say(axes, "no heuristic has\nenough neurons\nto be knocked out")
                continue
            _panel(axes, rows, OPERATOR_COLOURS[operator])
            means = "  ".join(f"{sign} {rows[name].mean():.2f}" for name, sign in SIGNS.items())
            axes.set_title(f"{operator_title(operator)}\nmean {means}", linespacing=1.4)
        first = next(axes for axes in panels.values() if axes.axison)
        first.tick_params(labelleft=True)
        first.set_ylabel("accuracy after knockout")
        lowest = table[["associated_low", "other_low", "matched_low"]].to_numpy(dtype=np.float64)
        first.set_ylim(*accuracy_limits(float(np.nanmin(lowest))))
        _legend(figure)
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    shift = 0.12 if len(rows) <= MAX_NAMED else 0.0
    for side, ink, marker in (("other", NEUTRAL, "x"), ("associated", colour, "o")):
        places = rows["rank"] + (shift if side == "other" else -shift)
        axes.vlines(
            places, rows[f"{side}_low"], rows[f"{side}_high"], color=ink, alpha=0.3,
            linewidth=float(np.clip(90 / len(rows), 0.3, 1.2)),
        )  # fmt: skip
        axes.axhline(rows[f"baseline_{side}"].mean(), color=ink, linewidth=0.6, linestyle=":")
        axes.axhline(rows[side].mean(), color=ink, linewidth=0.8, linestyle="--")
        axes.plot(
            places, rows[side], linestyle="none", marker=marker, color=ink,
            markersize=float(np.clip(160 / len(rows), 1.5, 3.5)), markeredgewidth=0.6,
        )  # fmt: skip
    _matched(axes, rows)
    axes.margins(x=0.1)
    if len(rows) <= MAX_NAMED:
        axes.set_xticks(rows["rank"], rows["label"], rotation=90)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(f"heuristics by drop (n = {len(rows)})")


def _matched(axes: Axes, rows: pd.DataFrame) -> None:
    """What random sets leave of the accuracy on the same prompts: mean, and range of most."""
    size = float(np.clip(140 / len(rows), 1.2, 3.0))
    axes.vlines(
        rows["rank"], rows["matched_low"], rows["matched_high"], color=ACCENT, alpha=0.5,
        linewidth=float(np.clip(90 / len(rows), 0.3, 1.2)),
    )  # fmt: skip
    axes.plot(
        rows["rank"], rows["matched"], linestyle="none", marker="s", color=ACCENT,
        markerfacecolor="white", markersize=size, markeredgewidth=0.5, zorder=1.5,
    )  # fmt: skip


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], linestyle="none", marker="o", color="black"),
        Line2D([], [], linestyle="none", marker="x", color=NEUTRAL, markeredgewidth=0.6),
        Line2D([], [], linestyle="none", marker="s", color=ACCENT, markerfacecolor="white",
               markeredgewidth=0.6),
        Line2D([], [], linestyle="--", color=NEUTRAL, linewidth=0.8),
        Line2D([], [], linestyle=":", color=NEUTRAL, linewidth=0.8),
    ]  # fmt: skip
    names = [
        "prompts of the heuristic", "other prompts", "its prompts, random sets like it",
        "means", "means of the intact model",
    ]  # fmt: skip
    figure.legend(handles, names, ncols=5, loc="outside lower center", columnspacing=1.2)
