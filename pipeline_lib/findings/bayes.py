"""The page of the study bayes: what its tables say, in sentences that their intervals choose."""

from collections.abc import Mapping
from importlib import resources
from os import PathLike
from string import Template

import pandas as pd

from pipeline_lib import store
from pipeline_lib.bayes.columns import (
    ANSWER_COLUMNS,
    COST_COLUMNS,
    LAYER_COLUMNS,
    PAIR_COLUMNS,
    PROBE_COLUMNS,
    SCORE_COLUMNS,
    SLOPE_COLUMNS,
)
from pipeline_lib.findings import bayes_effects as effects
from pipeline_lib.findings.page import tidy
from pipeline_lib.findings.words import (
    between,
    decimal,
    listed,
    markdown_table,
    percent,
    percent_spread,
)

SWEEP = ["layer", "component", "position", "metric_before", "effect", "low", "high", "n"]
COLUMNS: dict[str, list[str]] = {
    "scores": SCORE_COLUMNS,
    "answers": ANSWER_COLUMNS,
    "layers": LAYER_COLUMNS,
    "probe": PROBE_COLUMNS,
    "pairs": PAIR_COLUMNS,
    "heads": SWEEP,
    "control": SWEEP,
    "costs": COST_COLUMNS,
    "slopes": SLOPE_COLUMNS,
}
"""Columns that are read of every table."""
TITLES = {
    "base": "base",
    "independent": "independent",
    "order_irrelevant": "order irrelevant",
}
Tables = Mapping[str, pd.DataFrame]


def read_tables(paths: Mapping[str, str | PathLike[str]]) -> dict[str, pd.DataFrame]:
    """Every table of `COLUMNS`."""
    return {name: store.read_table(paths[name], columns) for name, columns in COLUMNS.items()}


def write_findings(model: str, tables: Tables) -> str:
    """The page of a model."""
    text = resources.files(__package__).joinpath("bayes.md").read_text(encoding="utf-8")
    scores = tables["scores"][tables["scores"]["rule"] == "bayes"]
    found = {
        "model": model,
        "verdict": verdict(scores),
        "task_table": task_table(scores),
        "follows": follows(scores),
        "orders": orders(tables["answers"]),
        "mass": mass(tables["answers"]),
        "lens": lens(tables["layers"]),
        "readable": effects.readable(tables["probe"]),
        "probe_table": effects.probe_table(tables["probe"]),
        "readable_layers": effects.readable_layers(tables["probe"]),
        "pairs": effects.pairs(tables["pairs"]),
        "heads": effects.heads(tables["heads"], tables["control"]),
        "head_table": effects.head_table(tables["heads"], tables["control"]),
        "costs": effects.costs(tables["costs"]),
        "steering": effects.steering(tables["slopes"]),
    }
    return tidy(Template(text).substitute(found))


def templates(names: pd.Series) -> str:
    """Names of templates in a list."""
    return listed([f"`{name}`" for name in names])


def verdict(scores: pd.DataFrame) -> str:
    """Whether P(X) is closer to Bayes' rule than an answer that ignores the draws."""
    better, worse = scores["gain_low"] > 0, scores["gain_high"] < 0
    if better.all():
        return (
            "**This model does the task**: under every template P(X) is measurably closer to Bayes'"
            " rule than an answer that ignores the draws."
        )
    if not better.any():
        said = (
            "**This model cannot do the task**: under no template is P(X) measurably closer to "
            "Bayes' rule than an answer that ignores the draws"
        )
        if worse.any():
            said += f", and under {templates(scores.loc[worse, 'template'])} it is measurably worse"
        return f"{said}."
    return (
        "**This model does the task in part**: P(X) is measurably closer to Bayes' rule than an "
        f"answer that ignores the draws under {templates(scores.loc[better, 'template'])} only."
    )


def task_table(scores: pd.DataFrame) -> str:
    """Errors and correlations of every template."""
    rows = [
        [
            TITLES[row["template"]],
            measured(row, "mae"),
            decimal(row["no_evidence_mae"]),
            measured(row, "gain"),
            decimal(row["bias"]),
            measured(row, "correlation"),
            decimal(row["slope"]),
        ]
        for _, row in scores.iterrows()
    ]
    head = ["template", "error", "draws ignored", "closer by", "bias", "correlation", "slope"]
    return markdown_table(head, rows)


def follows(scores: pd.DataFrame) -> str:
    """Whether P(X) goes with the evidence at all."""
    with_it = scores["correlation_low"] > 0
    said = "P(X) rises measurably with the posterior predictive under "
    if with_it.all():
        return f"{said}every template."
    if with_it.any():
        return f"{said}{templates(scores.loc[with_it, 'template'])} only."
    return "P(X) does not measurably rise with the posterior predictive under any template."


def orders(answers: pd.DataFrame) -> str:
    """Which share of the variance of P(X) the number of X decides."""
    shares = []
    for _, part in answers.groupby("template", sort=False):
        means = part.groupby("n_x")["p_x"].transform("mean")
        variance = float(part["p_x"].var(ddof=0))
        shares.append(float(means.var(ddof=0)) / variance if variance > 0 else float("nan"))
    return (
        f"The number of X decides {percent_spread(shares)} of the variance of P(X), the order of "
        "the draws the rest; under Bayes' rule the number decides all."
    )


def mass(answers: pd.DataFrame) -> str:
    """How much of the probability lies on X and Y at all."""
    by_template = answers.groupby("template", sort=False)[["mass", "top"]].mean()
    return (
        f"The outcome tokens have {percent_spread(by_template['mass'].tolist())} of the "
        "probability and are the most probable token after "
        f"{percent(float(answers['top'].mean()))} of prompts."
    )


def lens(layers: pd.DataFrame) -> str:
    """Best layer of every template, and from where on P(X) goes with Bayes' rule."""
    said = []
    for template, part in layers.groupby("template", sort=False):
        best = part[part["best"]].iloc[0]
        last = part.iloc[-1]
        ignorant = best["no_evidence_mae"]
        place = (
            "measurably below" if best["high"] < ignorant
            else "measurably above" if best["low"] > ignorant
            else "not measurably different from"
        )  # fmt: skip
        start = rising_from(part)
        rising = (
            f"P(X) rises with Bayes' rule from layer {start} to the last"
            if start is not None
            else "in the last layer P(X) does not measurably rise with Bayes' rule"
        )
        said.append(
            f"- `{template}`: the error is smallest at layer {int(best['layer'])} of "
            f"{int(last['layer'])}, {decimal(best['mae'])} {between(best['low'], best['high'])}, "
            f"{place} {decimal(ignorant)}, the error of ignoring the draws; {rising}."
        )
    return "\n".join(said)


def rising_from(part: pd.DataFrame) -> int | None:
    """First layer from which to the last the correlation's interval lies above 0."""
    ordered = part.sort_values("layer", ascending=False)
    rises = (ordered["correlation_low"] > 0).cummin()
    return int(ordered.loc[rises, "layer"].min()) if rises.any() else None


def measured(row: pd.Series, name: str) -> str:
    """A score with its interval."""
    return f"{decimal(row[name])} {between(row[f'{name}_low'], row[f'{name}_high'])}"
