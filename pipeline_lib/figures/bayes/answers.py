"""Can the model do it: P(X) against the number of X, beside Bayes' rule and other rules."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import ANSWER_COLUMNS
from pipeline_lib.figures.bayes.parts import MODEL, TEMPLATE_TITLES
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, new_figure, style
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

LINES = {
    "bayes": ("black", "-", "Bayes' rule"),
    "beta_bernoulli": ("#0072B2", "--", "unknown generator (Beta prior)"),
    "frequentist": ("#009E73", ":", "share of X"),
    "no_evidence": (NEUTRAL, "-.", "Bayes' rule before any draw"),
}
COLUMNS = ["template", "n_x", "prompts", "p_x", "low", "high", *LINES]


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from every answer."""
    answers = store.read_table(inputs["answers"], ANSWER_COLUMNS)
    table = tabulate(answers)
    return Drawn(draw(answers, table), table)


def tabulate(answers: pd.DataFrame) -> pd.DataFrame:
    """Mean P(X) by number of X with its 95 % bootstrap interval over orders (`COLUMNS`)."""
    rows = []
    for _, part in answers.groupby(["template", "n_x"], sort=False):
        p_x = part["p_x"].to_numpy(np.float64)
        low, high = bootstrap_mean_interval(p_x, generator(0, "bayes_answers"))
        first = part.iloc[0]
        several = len(p_x) > 1
        rows.append(
            {
                **first[["template", "n_x", *LINES]],
                "prompts": len(p_x),
                "p_x": p_x.mean(),
                "low": float(low) if several else np.nan,
                "high": float(high) if several else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(answers: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """One panel for each template."""
    with style():
        templates = list(dict.fromkeys(answers["template"]))
        figure = new_figure(PAGE, 2.6)
        panels = figure.subplots(1, len(templates), squeeze=False, sharey=True)[0]
        for axes, template in zip(panels, templates, strict=True):
            axes.set_title(TEMPLATE_TITLES[template])
            axes.set_xlabel("draws that are X")
            _panel(
                axes,
                answers[answers["template"] == template],
                table[table["template"] == template],
            )
        panels[0].set_ylabel("P(next = X)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
        return figure


def _panel(axes: Axes, answers: pd.DataFrame, means: pd.DataFrame) -> None:
    for name, (colour, dashes, label) in LINES.items():
        axes.plot(means["n_x"], means[name], dashes, color=colour, linewidth=1.0, label=label)
    spread = means["p_x"] - means["low"], means["high"] - means["p_x"]
    axes.errorbar(
        means["n_x"], means["p_x"], yerr=np.nan_to_num(np.stack(spread)), fmt="o", color=MODEL,
        markersize=3.5, elinewidth=0.8, label="model, mean over orders", zorder=4,
    )  # fmt: skip
    axes.scatter(
        answers["n_x"], answers["p_x"], s=5, color=MODEL, alpha=0.35, linewidths=0,
        label="model, each order", zorder=3,
    )  # fmt: skip
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks(range(0, int(means["n_x"].max()) + 1, max(1, int(means["n_x"].max()) // 5)))
