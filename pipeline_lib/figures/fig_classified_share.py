"""Share of neurons that are classified, and of maps that mean nothing (definitions 17)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.null_maps import (
    NEURONS,
    NULL_TITLES,
    TITLES,
    read_cuts,
    read_groups,
    split,
)
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    Drawn,
    message_figure,
    operator_panels,
    say,
    style,
)
from pipeline_lib.stats import benjamini_hochberg, wilson_interval

COLUMNS = ["operator", "rule_or_null", "what", "value", "low", "high", "n"]
SHARES = {"threshold": "share at threshold", "fdr": "share at fdr"}
FALSE = {"threshold": "false positives at threshold", "fdr": "false positives at fdr"}
ALONE = "share at fdr against this null alone"
THRESHOLD_COLOUR, FDR_COLOUR = "#E69F00", "#0072B2"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from classified neurons and null maps of every operator.

    ``settings`` has ``threshold`` and ``fdr``.
    """
    threshold, fdr = settings["threshold"], settings["fdr"]
    groups, cuts = read_groups(inputs, operators), read_cuts(inputs, operators)
    neurons = {
        op: store.read_table(path)
        for op, path in one_per_operator(inputs, "neurons", operators).items()
    }
    table = tabulate(groups, cuts, neurons, threshold, fdr)
    return Drawn(draw(table, operators, threshold, fdr), table)


def tabulate(
    groups: pd.DataFrame,
    cuts: dict[str, float],
    neurons: dict[str, pd.DataFrame],
    threshold: float,
    fdr: float,
) -> pd.DataFrame:
    """Shares with 95 % Wilson intervals (`COLUMNS`).

    Of the neurons: those with a score of at least ``threshold``, those classified at ``fdr``, and
    those that would be if one null alone counted. Of each null: maps that reach the same score, and
    the same evidence as the least of the classified neurons (0 where no neuron is classified).
    """
    rows = []
    for operator, group, own in split(groups):
        scored = own["score"].dropna()
        reached = (own["evidence"] >= cuts[operator]).to_numpy()
        table = neurons[operator]
        what = SHARES if group == NEURONS else FALSE
        passed = table["classified"].to_numpy(bool) if group == NEURONS else reached
        rows.append((operator, group, what["threshold"], (scored >= threshold).to_numpy()))
        rows.append((operator, group, what["fdr"], passed))
        if group != NEURONS:
            p_values = table[f"p_{group}"].to_numpy(np.float64)
            q_values = benjamini_hochberg(p_values)
            rows.append((operator, group, ALONE, q_values[~np.isnan(q_values)] <= fdr))
    return pd.DataFrame([_share(*row) for row in rows if len(row[-1])], columns=COLUMNS)


def _share(operator: str, group: str, what: str, passed: np.ndarray) -> tuple[Any, ...]:
    share, n = np.array([passed.mean()]), np.array([len(passed)])
    low, high = wilson_interval(share, n)
    return operator, group, what, float(share[0]), float(low[0]), float(high[0]), len(passed)


def draw(table: pd.DataFrame, operators: Sequence[str], threshold: float, fdr: float) -> Figure:
    """Shares as points with intervals, a line a group, a panel an operator."""
    looks = {
        SHARES["threshold"]: (THRESHOLD_COLOUR, "o", "full", -0.22),
        FALSE["threshold"]: (THRESHOLD_COLOUR, "o", "full", -0.22),
        SHARES["fdr"]: (FDR_COLOUR, "s", "full", 0.0),
        FALSE["fdr"]: (FDR_COLOUR, "s", "full", 0.0),
        ALONE: ("#000000", "D", "none", 0.22),
    }
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nno neuron was analysed")
        figure, panels = operator_panels(operators, 2.2, sharey=True)
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows.empty:
                say(axes, "no correct prompts")
                continue
            _panel(axes, rows, looks, fdr)
        first = next(axes for axes in panels.values() if axes.axison)
        first.tick_params(labelleft=True)
        first.set_yticks(range(len(TITLES)), list(TITLES.values()))
        first.set_ylim(len(TITLES) - 0.4, -0.6)
        figure.supxlabel("share of neurons or maps (%)", fontsize="medium")
        labels = {
            SHARES["threshold"]: f"score ≥ {threshold:g}",
            SHARES["fdr"]: f"false discovery rate ≤ {100 * fdr:g} %, or as much evidence",
            ALONE: "top neurons that pass this null alone",
        }
        handles = [_marker(*looks[what][:3]) for what in labels]
        figure.legend(handles, list(labels.values()), loc="outside upper center", ncols=3)
        return figure


def _marker(colour: str, marker: str, fill: Any) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, fillstyle=fill, ls="", ms=4)


def _panel(axes: Axes, rows: pd.DataFrame, looks: dict[str, Any], fdr: float) -> None:
    places = {group: place for place, group in enumerate((NEURONS, *NULL_TITLES))}
    axes.axhline(0.5, color="#BBBBBB", lw=0.6)
    axes.axvline(100 * fdr, color="#BBBBBB", lw=0.6, ls=":")
    for what, (colour, marker, fill, shift) in looks.items():
        chosen = rows[rows["what"] == what]
        value = 100 * chosen["value"]
        spread = np.stack([value - 100 * chosen["low"], 100 * chosen["high"] - value])
        axes.errorbar(
            value, chosen["rule_or_null"].map(places) + shift, xerr=np.maximum(spread, 0.0),
            color=colour, marker=marker, fillstyle=fill, ls="", ms=3.5, elinewidth=0.8, mew=0.8,
        )  # fmt: skip
    axes.set_xlim(-3, 103)
    axes.set_xticks([0, 50, 100])
    axes.tick_params(axis="y", length=0)
