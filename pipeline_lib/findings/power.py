"""What the study power found of a model: whether it tells the sentences apart, and where."""

from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib.findings.page import tidy
from pipeline_lib.findings.words import (
    NONE,
    between,
    decimal,
    listed,
    markdown_table,
    p_value,
    percent,
)

PARTS = {"residual": "residual", "mlp": "MLP", "heads": "head"}
REGIONS = {
    "entity": "the entity after them",
    "differing": "the differing words",
    "after": "others after them",
    "last": "the last token",
}
"""Regions in which a patch can do anything: before the first difference it is exactly 0."""
BASELINES = {
    "source": "log-ratio of TRUE to FALSE, with power (nats)",
    "base": "the same, without power (nats)",
    "difference": "difference within a pair (nats)",
}
SHARES = {"ordered": "pairs in the right order"}
MOST_NAMED = 4


def write_power_findings(
    model: str,
    baselines: pd.DataFrame,
    summary: Mapping[str, Any],
    regions: Mapping[str, pd.DataFrame],
    costs: Mapping[str, Mapping[str, int | float]],
) -> str:
    """The page from the tables of a run; ``regions`` and ``costs`` are by part of the model."""
    found = baselines.set_index("measure")
    counts = summary["counts"]
    text = resources.files(__package__).joinpath("power.md").read_text(encoding="utf-8")
    return tidy(
        Template(text).substitute(
            model=model,
            verdict=verdict(model, found),
            baselines=baseline_rows(found),
            answers=answers(found),
            mass=mass(found, summary["variants"]),
            counted=counted(counts, summary),
            only=only(counts["swept"], found),
            peaks=peaks(regions),
            path=path(regions["residual"]),
            differing=carried(regions["residual"]),
            parts=named_parts(regions),
            costs=cost_table(costs),
        )
    )


def verdict(model: str, found: pd.DataFrame) -> str:
    """Whether the model tells the sentences apart, by the interval of the difference."""
    row = found.loc["difference"]
    numbers = (
        f"{decimal(row['value'], 3)} nats {between(row['low'], row['high'], 3)}, "
        f"p {p_text(found.loc['p', 'value'])} by sign flips, over {int(row['n'])} pairs"
    )
    if row["low"] > 0:
        said = f"**{model} tells the sentences apart**: TRUE is more likely with power"
    elif row["high"] < 0:
        said = (
            f"**{model} cannot do this task**: it tells the sentences apart, but the wrong way "
            "round: TRUE is less likely with power"
        )
    else:
        said = f"**{model} cannot do this task**: it does not measurably tell the sentences apart"
    return f"{said} ({numbers})."


def p_text(value: float) -> str:
    """A p-value after the letter p."""
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def baseline_rows(found: pd.DataFrame) -> str:
    """Lines of the table of baselines."""
    lines = [
        f"| {label} | {decimal(found.loc[name, 'value'], 3)} "
        f"| {between(found.loc[name, 'low'], found.loc[name, 'high'], 3)} |"
        for name, label in BASELINES.items()
    ]
    for name, label in SHARES.items():
        row = found.loc[name]
        ends = f"[{percent(row['low'])}, {percent(row['high'])}]"
        lines.append(f"| {label} | {percent(row['value'])} | {ends} |")
    return "\n".join(lines)


def answers(found: pd.DataFrame) -> str:
    """How often it gives the right answer outright."""
    true, false = (percent(found.loc[name, "value"]) for name in ("source_true", "base_false"))
    return (
        f"It prefers TRUE for {true} of the sentences with power, and FALSE for {false} of those "
        "without."
    )


def mass(found: pd.DataFrame, variants: Mapping[str, list[str]]) -> str:
    """How much of the model's answer the measure sees."""
    number = sum(len(tokens) for tokens in variants.values())
    return (
        f"The {number} spellings of both answers that are one token have a probability of "
        f"{percent(found.loc['mass', 'value'])} together; the measure compares these alone."
    )


def counted(counts: Mapping[str, int], summary: Mapping[str, Any]) -> str:
    """What became of the pairs."""
    reasons = {
        "unequal_length": "left out for unequal lengths in tokens",
        "within_noise": "closer than the noise floor",
        "wrong_way": "in the wrong order",
    }
    said = [f"{counts[name]} {text}" for name, text in reasons.items() if counts[name]]
    left = f": {listed(said)}" if said else ""
    return (
        f"Of {counts['pairs']} pairs {counts['swept']} are swept{left}. The noise floor of the "
        f"log-ratio is {summary['noise_floor']:.1e} nats."
    )


def only(n_swept: int, found: pd.DataFrame) -> str:
    """What the sweeps can say, given the baselines."""
    if not n_swept:
        return "No pair can be swept, so nothing is said of where."
    if found.loc["difference", "low"] > 0:
        return "The sweeps show where the model holds what tells the sentences apart."
    return (
        "The sweeps show where the runs' difference comes from, which is not where a right answer "
        "comes from."
    )


def best(table: pd.DataFrame, region: str) -> pd.Series | None:
    """The row of a region with the largest mean recovery, if any."""
    rows = table[(table["position"] == region) & table["recovery"].notna()]
    return None if rows.empty else rows.loc[rows["recovery"].idxmax()]


def where(part: str, row: pd.Series) -> str:
    """A layer, or a head of a layer."""
    if part == "heads":
        return f"{int(row['layer'])}.{str(row['component']).removeprefix('head_')}"
    return "embedding" if row["layer"] < 0 else f"layer {int(row['layer'])}"


def peaks(regions: Mapping[str, pd.DataFrame]) -> str:
    """Table of the largest recovery of every part and region."""
    lines = []
    for region, name in REGIONS.items():
        cells = [name]
        for part in PARTS:
            row = best(regions[part], region)
            cells.append(NONE if row is None else f"{recovered(row)}, {where(part, row)}")
        lines.append(cells)
    return markdown_table(["", *PARTS.values()], lines)


def recovered(row: pd.Series) -> str:
    """A recovery with its interval."""
    ends = between(row["recovery_low"], row["recovery_high"])
    return f"{decimal(row['recovery'])} {ends}"


def path(table: pd.DataFrame) -> str:
    """From which layer on the last token carries more than the differing words."""
    means = table.pivot_table(index="layer", columns="position", values="recovery", dropna=False)
    if "last" not in means or "differing" not in means or means["last"].isna().all():
        return ""
    higher = (means["last"] > means["differing"].fillna(0.0)).to_numpy()
    if not higher[-1]:
        return "The last token's residual never carries more than those of the differing words."
    first = len(higher) - int(np.argmin(higher[::-1])) if not higher.all() else 0
    layer = int(means.index[first])
    name = "the embedding" if layer < 0 else f"layer {layer}"
    return f"From {name} on the last token's residual carries more than one of the differing words."


def carried(table: pd.DataFrame) -> str:
    """Where half of the difference can be moved by the last token, measurably."""
    rows = table[(table["position"] == "last") & (table["recovery_low"] > 0.5)].sort_values("layer")
    if rows.empty:
        return "No layer of the last token moves measurably more than half of the difference."
    return (
        "Its residual moves measurably more than half of the difference from layer "
        f"{int(rows['layer'].iloc[0])} on."
    )


def named_parts(regions: Mapping[str, pd.DataFrame]) -> str:
    """How many MLPs and heads have an effect, and the largest ones."""
    said = []
    for part in ("mlp", "heads"):
        table = regions[part]
        rows = table[table["position"].isin(REGIONS) & table["recovery"].notna()]
        sure = rows[(rows["recovery_low"] > 0) | (rows["recovery_high"] < 0)]
        if rows.empty:
            continue
        order = sure["recovery"].abs().sort_values(ascending=False).index[:MOST_NAMED]
        names = [
            f"{where(part, sure.loc[i])} at {REGIONS[sure.loc[i, 'position']]} "
            f"({decimal(sure.loc[i, 'recovery'])})"
            for i in order
        ]
        kind = {"mlp": "MLPs", "heads": "heads"}[part]
        largest = f", the largest {listed(names)}" if names else ""
        said.append(
            f"Of {len(rows)} cells (layer, region) of {kind} {len(sure)} have an interval without "
            f"0 (chance alone: about {round(0.05 * len(rows))}){largest}."
        )
    return " ".join(said)


def cost_table(costs: Mapping[str, Mapping[str, int | float]]) -> str:
    """What each sweep cost, beside a loop of forward passes."""
    head = ["sweep", "pairs", "patches", "known without a run", "token-layers", "a loop's", "times"]
    lines = [
        [
            part,
            *(f"{int(cost[name]):,}" for name in ("pairs", "patches", "known", "token_layers")),
            f"{int(cost['loop_token_layers']):,}",
            decimal(cost["times_less"], 1),
        ]
        for part, cost in costs.items()
    ]
    return markdown_table(head, lines)
