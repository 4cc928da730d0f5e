"""How far the model is from each rule, and whether it follows it: the table read first."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import ANSWER_COLUMNS, SCORE_COLUMNS
from pipeline_lib.figures.bayes.parts import TEMPLATE_TITLES, interval
from pipeline_lib.figures.style import PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

RULE_TITLES = {
    "bayes": "Bayes' rule",
    "beta_bernoulli": "unknown generator",
    "frequentist": "share of X",
}


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The table from the scores, with what share of answers are X or Y at all."""
    scores = store.read_table(inputs["scores"], SCORE_COLUMNS)
    answers = store.read_table(inputs["answers"], ANSWER_COLUMNS)
    shares = answers.groupby("template")[["mass", "top"]].mean()
    return Drawn(draw(scores, shares), scores.merge(shares.reset_index(), on="template"))


def draw(scores: pd.DataFrame, shares: pd.DataFrame) -> Figure:
    """One row for each template and rule."""
    rows = [
        {
            "template": TEMPLATE_TITLES[row["template"]],
            "rule": RULE_TITLES[row["rule"]],
            "mean error": interval(row["mae"], row["mae_low"], row["mae_high"]),
            "without evidence": f"{row['no_evidence_mae']:.2f}",
            "closer by": interval(row["gain"], row["gain_low"], row["gain_high"]),
            "bias": f"{row['bias']:+.2f}".replace("-", "−"),
            "correlation": interval(
                row["correlation"], row["correlation_low"], row["correlation_high"]
            ),
            "slope": f"{row['slope']:.2f}".replace("-", "−"),
        }
        for _, row in scores.iterrows()
    ]
    outcome = "; ".join(
        f"{TEMPLATE_TITLES[str(name)]} {row['mass']:.0%} ({row['top']:.0%})"
        for name, row in shares.reindex(dict.fromkeys(scores["template"])).iterrows()
    )
    remark = f"Probability of the outcome tokens (they are the most probable token): {outcome}"
    with style():
        right = list(rows[0])[2:] if rows else ()
        return table_figure(
            pd.DataFrame(rows), width=PAGE, right=right, group="template", remark=remark
        )
