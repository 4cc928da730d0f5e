"""The page of the study bayes: its probes, its heads, its steering."""

import numpy as np
import pandas as pd

from pipeline_lib.bayes.columns import MEASURES, PROBE
from pipeline_lib.bayes.ranking import rank_heads
from pipeline_lib.findings.words import between, counted, decimal, markdown_table, p_value
from pipeline_lib.stats import wilson_interval

SPLITS = {
    "train": "fitted prompts",
    "other_template": "other template",
    "unseen_n_x": "unseen number of X",
    "unseen_both": "unseen number of X, other template",
}
TOP = 5


def _best(probe: pd.DataFrame, labels: str) -> pd.DataFrame:
    chosen = probe[probe["best"] & (probe["labels"] == labels)]
    return chosen.set_index("measure").reindex(list(MEASURES))


def readable(probe: pd.DataFrame) -> str:
    """Whether the probe of the best layer predicts the posterior of evidence it has not seen."""
    own, control = _best(probe, "belief"), _best(probe, "reassigned")
    layer = int(own["layer"].iloc[0])
    held = (own["low"] > 0) & (own["low"] > control["r2"].fillna(-np.inf))
    if held["unseen_both"]:
        found = (
            f"at layer {layer} a probe predicts the posterior of a number of X that it was not "
            "fitted on, also in another template, measurably better than its mean does"
        )
        line = float(_best(probe, "count").loc["unseen_both", "r2"])
        if own.loc["unseen_both", "low"] > line:
            return (
                f"Yes: {found}, and measurably better than a straight line in the number of X, "
                f"which reaches R² {decimal(line)}."
            )
        return (
            f"The count is, the posterior not measurably beyond it: {found}, but a residual that "
            f"only counts would give R² {decimal(line)} by a straight line, which is not "
            "measurably less."
        )
    if held["unseen_n_x"]:
        return (
            f"Within a template: at layer {layer} a probe predicts the posterior of a number of X "
            "that it was not fitted on, but in another template not measurably better than its "
            "mean does."
        )
    return (
        f"No: even at layer {layer} no probe predicts the posterior of a number of X that it was "
        "not fitted on measurably better than its mean does."
    )


def probe_table(probe: pd.DataFrame) -> str:
    """R2 at the best layer, by split, beside both controls."""
    kinds = ("belief", "count", "reassigned", "shuffled")
    own, count, other, shuffled = (_best(probe, name) for name in kinds)
    rows = [
        [
            SPLITS[name],
            f"{decimal(own.loc[name, 'r2'])} "
            f"{between(own.loc[name, 'low'], own.loc[name, 'high'])}",
            decimal(count.loc[name, "r2"]),
            decimal(other.loc[name, "r2"]),
            decimal(shuffled.loc[name, "r2"]),
        ]
        for name in MEASURES
    ]
    head = [
        f"R² at layer {int(own['layer'].iloc[0])}",
        "posterior",
        "from the count",
        "another number of X",
    ]
    return markdown_table([*head, "another prompt"], rows)


def readable_layers(probe: pd.DataFrame) -> str:
    """In how many layers the posterior is readable on the strictest split."""
    own = probe[(probe["labels"] == "belief") & (probe["measure"] == "unseen_both")]
    found = own[own["low"] > 0]["layer"].astype(int).tolist()
    where = f": {', '.join(map(str, found))}" if 0 < len(found) < len(own) else ""
    return (
        "On an unseen number of X in the other template R² lies measurably above 0 in "
        f"{counted(len(found), len(own))} layers probed{where}."
    )


def pairs(table: pd.DataFrame) -> str:
    """How many pairs were patched and why others were not."""
    found = table["status"].value_counts()
    swept, near, against = (int(found.get(name, 0)) for name in ("swept", "near_zero", "against"))
    floor = decimal(float(table["floor"].iloc[0])) if len(table) else "0"
    return (
        f"Of {len(table)} pairs of prompts, {swept} were patched. Left out: {near} in which "
        f"log P(X)/P(Y) differs by at most {floor} nats, which is not divided by, and {against} in "
        "which more X make X less likely. " + goes_with_evidence(swept, against)
    )


def goes_with_evidence(swept: int, against: int) -> str:
    """Whether pairs that differ do so as the evidence does, more often than by chance."""
    if not swept + against:
        return ""
    share, n = np.array([swept / (swept + against)]), np.array([swept + against])
    if wilson_interval(share, n)[0][0] > 0.5:
        return "Pairs that differ do so with the evidence measurably more often than against it."
    return (
        "Pairs that differ do so with the evidence not measurably more often than against it: what "
        "heads recover here may be the order of the draws as well as their number."
    )


def heads(table: pd.DataFrame, control: pd.DataFrame) -> str:
    """How many heads carry more than the order of the draws explains."""
    both = table.merge(control, on=["layer", "component"], suffixes=("", "_control"))
    both = both.dropna(subset=["effect"])
    if both.empty:
        return "Nothing could be patched."
    apart = (both["low"] > both["high_control"]) | (both["high"] < both["low_control"])
    more = both[apart & (both["low"] > 0)]
    best = rank_heads(table, control, 1).iloc[0]
    return (
        f"The largest recovery of a head is {decimal(best['effect'])} "
        f"{between(best['low'], best['high'])}, of {name(best)}. {len(more)} of {len(both)} heads "
        f"recover measurably more than 0 and than their control does; about {len(both) / 40:.0f} "
        "would lie above 0 by chance."
    )


def head_table(table: pd.DataFrame, control: pd.DataFrame) -> str:
    """The heads that recover most."""
    top = rank_heads(table, control, TOP)
    rows = [
        [
            name(row),
            f"{decimal(row['effect'], 3)} {between(row['low'], row['high'], 3)}",
            f"{decimal(row['control_effect'], 3)} "
            f"{between(row['control_low'], row['control_high'], 3)}",
        ]
        for _, row in top.iterrows()
    ]
    return markdown_table(["head", "recovery", "control"], rows) if rows else ""


def name(row: pd.Series) -> str:
    """Name of a head."""
    return f"L{int(row['layer'])} H{str(row['component']).removeprefix('head_')}"


def costs(table: pd.DataFrame) -> str:
    """What the sweeps cost against a loop of forward passes."""
    times = table["loop_token_layers"].sum() / max(float(table["token_layers"].sum()), 1.0)
    return (
        f"The sweeps made {int(table['patches'].sum()):,} patches with {decimal(times, 1)} times "
        "less work than one forward pass each."
    )


def steering(slopes: pd.DataFrame) -> str:
    """Whether P(X) goes where the probe's direction pushes it."""
    own, random = (slopes[slopes["direction"] == kind].iloc[0] for kind in (PROBE, "random"))
    found = (
        f"Pushed at layer {int(own['layer'])} so far that the probe reads the change asked for, "
        f"P(X) changes by {decimal(own['slope'], 3)} {between(own['low'], own['high'], 3)} of it; "
        f"along random directions, by steps of equal length, by {decimal(random['low'], 3)} to "
        f"{decimal(random['high'], 3)} (p = {p_value(own['p'])})."
    )
    if not own["p"] <= 0.05:
        return (
            f"{found} This is no more than random directions do: "
            "nothing shows that the model uses what is read there."
        )
    if own["low"] > 0:
        return f"{found} The model uses what the probe reads, in the direction asked for."
    if own["high"] < 0:
        return f"{found} The push acts, but against the direction asked for."
    return f"{found} The push acts, but without a measurable direction."
