"""What a run found of induction drift: numbers from its tables, sentences that these choose."""

from collections.abc import Mapping
from importlib import resources
from os import PathLike
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.findings.induction_tables import COLUMNS
from pipeline_lib.findings.page import tidy
from pipeline_lib.findings.words import (
    between,
    decimal,
    listed,
    markdown_table,
    p_value,
    percent,
)
from pipeline_lib.induction.kinds import KINDS

MOST_HEADS = 6
SIGNIFICANT = 0.05
SMALL = 0.1
"""Of the drift, what is left where ablation is said to remove it."""

Tables = Mapping[str, pd.DataFrame]


def read_tables(paths: Mapping[str, str | PathLike[str]]) -> dict[str, pd.DataFrame]:
    """Every table of `COLUMNS`."""
    return {name: store.read_table(paths[name], columns) for name, columns in COLUMNS.items()}


def write_findings(
    model: str, tables: Tables, cost: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """The page of a model; ``settings``: symbols, repeated_tokens, sequences, random_sets."""
    text = (resources.files(__package__) / "induction.md").read_text(encoding="utf-8")
    found = {
        "model": model,
        "symbols": " and ".join(settings["symbols"]),
        "random_sets": str(settings["random_sets"]),
        "task": task(tables),
        "counting": counting(tables),
        "drift_table": drift_table(tables),
        "heads": induction_heads(tables),
        "ablation_table": ablation_table(tables),
        "single": single(tables),
        "joint_table": joint_table(tables),
        "joint": joint(tables),
        "agreement_table": agreement_table(tables),
        "agreement": agreement(tables),
        "published": published(tables),
        "cost": f"{cost['patches']:,} ablated prompts took {decimal(cost['times_less'], 1)} times "
        "fewer token-layers than one whole forward pass for each.",
    }
    return tidy(Template(text).substitute(found))


def main_row(tables: Tables) -> pd.Series:
    """Drift of the first pair of symbols over the orders of three and three."""
    rows = tables["drift"]
    first = rows["symbols"].iloc[0]
    held = (rows["symbols"] == first) & (rows["n_x"] == 3) & (rows["n_y"] == 3)
    return rows[held].iloc[0]


def task(tables: Tables) -> str:
    """Whether the model continues repeated tokens, and whether it answers with a symbol at all."""
    recall = tables["recall"].set_index("part")
    first, second = recall.loc["first"], recall.loc["second"]
    can = "can" if second["low"] > max(first["high"], second["chance"]) else "cannot"
    row = main_row(tables)
    return (
        f"The model {can} continue random tokens that come a second time: its first choice is the "
        f"next token in {percent(second['accuracy'])} {_range(second)} of the cases, and in "
        f"{percent(first['accuracy'])} {_range(first)} in the first half, where nothing tells it. "
        f"After the orders of three and three, {percent(row['mass'])} of the probability of the "
        f"next token lies on the two symbols, and in {percent(row['answered'])} of the orders the "
        "first choice is one of them."
    )


def _range(row: pd.Series) -> str:
    return f"[{percent(row['low'])}, {percent(row['high'])}]"


def counting(tables: Tables) -> str:
    """Drift against the noise floor, and whether the model is a counter."""
    row = main_row(tables)
    if row["drift"] <= row["noise_floor"]:
        return (
            f"Drift is {row['drift']:.2g}, within the noise floor {row['noise_floor']:.2g}: the "
            "model is not sensitive to the order, and there is no drift to explain."
        )
    named = named_orders(tables)
    return (
        f"It is no counter. P(X) after the {int(row['orders'])} orders of three and three moves by "
        f"{decimal(row['drift'], 3)} (noise floor {row['noise_floor']:.1g}), and its mean error to "
        f"a counter, which says 0.5, is {decimal(row['mae'], 3)} "
        f"{between(row['mae_low'], row['mae_high'], 3)}. {named}"
    )


def named_orders(tables: Tables) -> str:
    """P(X) after the named orders."""
    rows = tables["orders"]
    rows = rows[(rows["symbols"] == rows["symbols"].iloc[0]) & rows["name"].notna()]
    rows = rows[rows["name"] != ""]
    said = [
        f"{row['name']} ({' '.join(row['order'].upper())}) {decimal(row['p_x'], 3)}"
        for row in rows.to_dict("records")
    ]
    return f"P(X): {listed(said)}."


def drift_table(tables: Tables) -> str:
    """Drift and error by the numbers of both symbols."""
    rows = tables["drift"]
    rows = rows[rows["symbols"] == rows["symbols"].iloc[0]]
    cells = [
        [
            f"{int(row['n_x'])} and {int(row['n_y'])}", str(int(row['orders'])),
            decimal(row['drift'], 3), decimal(row['mean'], 3),
            decimal((row['n_x'] + 1) / (row['n_x'] + row['n_y'] + 2), 3),
            f"{decimal(row['mae'], 3)} {between(row['mae_low'], row['mae_high'], 3)}",
        ]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    head = ["X and Y", "orders run", "drift", "mean P(X)", "a counter", "MAE to a counter"]
    return markdown_table(head, cells)


def induction_heads(tables: Tables) -> str:
    """Heads with the largest induction scores, and what looks at the token before."""
    scores = tables["scores"]
    above = scores[(scores["score"] == "induction") & (scores["low"] > 2 * scores["uniform"])]
    uniform = decimal(float(scores["uniform"].iloc[0]), 3)
    before = scores[(scores["score"] == "previous")].nlargest(1, "mean").iloc[0]
    words = f"Most attention to the token before: {_head(before)}."
    if above.empty:
        nothing = f"No head has an induction score above twice {uniform}, that of equal attention."
        return f"{nothing} {words}"
    best = above.nlargest(MOST_HEADS, "mean")
    said = listed([_head(row) for _, row in best.iterrows()])
    return (
        f"{len(above)} heads have an induction score above twice {uniform}, that of equal "
        f"attention; the largest: {said}. {words}"
    )


def _head(row: pd.Series) -> str:
    ends = between(row["low"], row["high"], 3)
    return f"L{int(row['layer'])}H{int(row['head'])} {decimal(row['mean'], 3)} {ends}"


def _sweep(tables: Tables, kind: str, measure: str) -> pd.DataFrame:
    rows = tables["ablation"]
    rows = rows[(rows["kind"] == kind) & (rows["measure"] == measure)]
    head = "L" + rows["layer"].astype(str) + "H" + rows["component"].str.removeprefix("head_")
    return rows.assign(head=head)


def ablation_table(tables: Tables) -> str:
    """The heads whose ablation takes away most drift, with what it does to the error."""
    cells = []
    for kind in KINDS:
        errors = _sweep(tables, kind, "mae").set_index("head")
        logits = _sweep(tables, kind, "logit_drift").set_index("head")
        for row in _sweep(tables, kind, "drift").nsmallest(MOST_HEADS, "rank").to_dict("records"):
            error, logit = errors.loc[row["head"]], logits.loc[row["head"]]
            cells.append(
                [
                    kind, row['head'], decimal(row['of_symbols'], 3),
                    f"{decimal(row['effect'], 3)} {between(row['low'], row['high'], 3)}",
                    f"{decimal(logit['effect'])} {between(logit['low'], logit['high'])}",
                    f"{decimal(error['effect'], 3)} {between(error['low'], error['high'], 3)}",
                ]
            )  # fmt: skip
    head = [
        "ablation", "head", "drift taken away", "mean over pairs", "of the logit difference",
        "MAE added",
    ]  # fmt: skip
    return markdown_table(head, cells)


def single(tables: Tables) -> str:
    """How much of the drift one head alone takes away."""
    said = []
    for kind in KINDS:
        best = _sweep(tables, kind, "drift").nsmallest(1, "rank").iloc[0]
        if not np.isfinite(best["share"]):
            return "The drift is within the noise floor: no share of it is given."
        said.append(f"{kind} ablation of {best['head']} takes away {percent(best['share'])}")
    return f"Alone, {listed(said)} of the drift of the studied symbols."


def _joint(tables: Tables, kind: str, chosen: str, measure: str) -> pd.DataFrame:
    rows = tables["joint"]
    held = (rows["kind"] == kind) & (rows["chosen"] == chosen) & (rows["measure"] == measure)
    return rows[held].set_index("k").sort_index()


def first_small(tables: Tables, kind: str) -> int | None:
    """Fewest top heads without which less than `SMALL` of the drift is left; None if never."""
    drift = _joint(tables, kind, "top", "drift")["value"]
    small = drift.index[drift < SMALL * drift.loc[0]]
    return int(small[0]) if len(small) else None


def joint_table(tables: Tables) -> str:
    """Drift, error and mean P(X) without the top k heads and k random ones, for some k."""
    cells = []
    for kind in KINDS:
        drift = _joint(tables, kind, "top", "drift")["value"]
        chosen = {0, 1, 2, 4, 8, int(drift.index.max()), first_small(tables, kind) or 0}
        for k in sorted(chosen & set(drift.index)):
            by_chance = _joint(tables, kind, "random", "drift").loc[k]
            error, mean = (
                _joint(tables, kind, "top", name)["value"].loc[k] for name in ("mae", "p_x")
            )
            ends = between(by_chance["low"], by_chance["high"], 3)
            cells.append(
                [
                    kind, str(k), decimal(drift.loc[k], 3),
                    f"{decimal(by_chance['value'], 3)} {ends}", decimal(error, 3), decimal(mean, 3),
                ]
            )  # fmt: skip
    head = ["ablation", "k", "drift, top k", "drift, k random", "MAE, top k", "mean P(X), top k"]
    return markdown_table(head, cells)


def joint(tables: Tables) -> str:
    """How many heads it takes, whether that is fewer than chance, and what the error does then."""
    said = []
    for kind in KINDS:
        k = first_small(tables, kind)
        if k is None:
            said.append(f"Under {kind} ablation some drift is left whatever is ablated.")
            continue
        top, chance = (_joint(tables, kind, name, "drift").loc[k] for name in ("top", "random"))
        errors = _joint(tables, kind, "top", "mae")["value"]
        versus = "less than" if top["value"] < chance["low"] else "not less than"
        moves = "falls" if errors.loc[k] < errors.loc[0] else "rises"
        heads = ", ".join(str(top["heads"]).split())
        said.append(
            f"Under {kind} ablation the top {k} heads ({heads}) leave {decimal(top['value'], 3)} "
            f"of drift, {versus} 95 % of random sets of {k}; the error to a counter {moves} from "
            f"{decimal(errors.loc[0], 3)} to {decimal(errors.loc[k], 3)}."
        )
    return " ".join(said)


def agreement_table(tables: Tables) -> str:
    """Rank correlations with the induction and the previous-token score."""
    rows = tables["agreement"]
    rows = rows[rows["effect"] == "mean over pairs"]
    drifts = {"drift": "P(X)", "logit_drift": "logit difference"}
    names = {"induction": "induction score", "previous": "attention to the token before"}
    cells = [
        [
            row['kind'], drifts[row['measure']], names[row['score']], row['layers'],
            str(int(row['heads'])), decimal(row['rho']), between(row['low'], row['high']),
            p_value(row['p']),
        ]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    head = ["ablation", "drift of", "against", "layers", "heads", "ρ", "95 %", "p"]
    return markdown_table(head, cells)


def agreement(tables: Tables) -> str:
    """Whether drift reduction goes with the induction score: over all heads, in the last layer."""
    rows = tables["agreement"]
    held = (rows["effect"] == "mean over pairs") & (rows["score"] == "induction")
    drifts = {"drift": "drift of P(X)", "logit_drift": "drift of the logit difference"}
    said = []
    for measure, name in drifts.items():
        parts = [
            _verdict(rows[held & (rows["measure"] == measure) & (rows["layers"] == layers)], where)
            for layers, where in (
                ("all", "over all heads"),
                ("last", "over those of the last layer"),
            )
        ]
        said.append(f"{name[0].upper()}{name[1:]}: {'; '.join(parts)}.")
    return " ".join(said)


def _verdict(rows: pd.DataFrame, where: str) -> str:
    found = []
    for row in rows.to_dict("records"):
        if not np.isfinite(row["rho"]) or row["p"] > SIGNIFICANT:
            verdict = "none beyond chance"
        else:
            verdict = "agreement" if row["rho"] > 0 else "disagreement"
        found.append(f"{verdict} under {row['kind']} ablation (ρ = {decimal(row['rho'])})")
    return f"{where} {listed(found)}"


def published(tables: Tables) -> str:
    """How many published values were met; nothing for models that have none."""
    rows = tables["published"]
    if rows.empty:
        return ""
    missed = rows[~rows["within"].astype(bool)].fillna({"of": ""})
    names = [f"{row['quantity']} {row['of']}".strip() for row in missed.to_dict("records")]
    tail = f" Not met: {listed(names)}." if names else ""
    return (
        f"{len(rows) - len(missed)} of the {len(rows)} published values of this model are met "
        f"within their tolerance (`published.csv`).{tail}"
    )
