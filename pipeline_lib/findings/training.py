"""How it formed: final (neuron, heuristic) pairs over training, and what shared neurons do."""

from collections.abc import Sequence

import pandas as pd

from pipeline_lib.checkpoints.names import FINAL
from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings.tables import Tables, rows_of, studied
from pipeline_lib.findings.words import counted, listed, percent

NEARLY = 0.9
"""Accuracy counts as reached at this share of its final value."""
NOTHING = "No training checkpoints of this model were studied."


def over_training(tables: Tables, operator: str) -> pd.DataFrame:
    """One operator's rows of every checkpoint, in their order, the final model last."""
    rows = rows_of(tables["fig10a_heuristic_overlap"], operator=operator)
    return rows[rows["final_pairs"] > 0].reset_index(drop=True)


def first_lasting(rows: pd.DataFrame) -> str | None:
    """First checkpoint from which on more final pairs are there than by chance, by interval."""
    before = rows[rows["checkpoint"] != FINAL]
    above = (before["low"] > before["chance"])[::-1].cummin()[::-1]
    return str(before["checkpoint"][above].iloc[0]) if above.any() else None


def when_accurate(rows: pd.DataFrame) -> pd.Series | None:
    """The first checkpoint at which accuracy is nearly the final one."""
    final = rows_of(rows, checkpoint=FINAL)["accuracy"]
    if final.empty or not final.iloc[0] > 0:
        return None
    return rows[rows["accuracy"] >= NEARLY * final.iloc[0]].iloc[0]


def of_operator(rows: pd.DataFrame) -> str:
    """When accuracy was there, how many final pairs were there then, and since when any."""
    since, reached = first_lasting(rows), when_accurate(rows)
    if reached is None:
        return "no accuracy to be reached"
    share = float(reached["share"])
    said = (
        f"{reached['checkpoint']}, accuracy {percent(float(reached['accuracy']))}, "
        f"{percent(share)} of the pairs (chance {percent(float(reached['chance']))})"
    )
    return f"{said}, " + (
        f"above chance from {since} on" if since else "never lastingly above chance"
    )


def pairs(tables: Tables, operators: Sequence[str]) -> str:
    """`of_operator` of every operator that has checkpoints."""
    said = []
    for operator in studied(tables, operators):
        rows = over_training(tables, operator)
        if len(rows):
            said.append(f"- {OPERATOR_TITLES[operator]}: {of_operator(rows)};")
    return "\n".join(said).removesuffix(";") + "." if said else ""


def ahead(tables: Tables, operators: Sequence[str]) -> str:
    """In which operators most final pairs were missing when the accuracy was nearly there."""
    early: list[str] = []
    late: list[str] = []
    for operator in studied(tables, operators):
        reached = when_accurate(over_training(tables, operator))
        if reached is not None and reached["checkpoint"] != FINAL:
            (early if reached["high"] < 0.5 else late).append(OPERATOR_TITLES[operator])
    if not early and not late:
        return "No checkpoint before the last comes near the final accuracy."
    said = f"Accuracy came before most of the final pairs in {listed(early)}" if early else ""
    rest = (
        f"not measurably so in {listed(late)}"
        if early
        else (f"Accuracy did not measurably come before most of the final pairs in {listed(late)}")
    )
    return f"{said}; {rest}." if said and late else f"{said or rest}."


def shared(tables: Tables) -> str:
    """Whether neurons shared with the final model do more than as many random top neurons."""
    table = tables["fig10b_shared_faithfulness"]
    table = table[(table["checkpoint"] != FINAL) & (table["n_neurons"] > 0)]
    ends = table.set_index(["operator", "checkpoint", "circuit"])[["low", "high"]].unstack()
    if ends.empty or not {("low", "shared"), ("high", "random")} <= set(ends.columns):
        return ""
    pair = ends[[("low", "shared"), ("high", "random")]].dropna()
    more = int((pair.iloc[:, 0] > pair.iloc[:, 1]).sum())
    return (
        "Kept alone, the neurons shared with the final model are measurably more faithful than as "
        f"many random top neurons in {counted(more, len(pair))} pairs of operator and checkpoint."
    )


def formed(tables: Tables, operators: Sequence[str]) -> str:
    """The section; one sentence where no checkpoints were studied."""
    each = pairs(tables, operators)
    if not each:
        return NOTHING
    head = (
        "The first checkpoint with "
        + f"{NEARLY:.0%}".replace("%", " %")
        + " of the final accuracy, and "
        "the share of the final (neuron, heuristic) pairs it has:"
    )
    return "\n\n".join([head, each, f"{ahead(tables, operators)} {shared(tables)}".strip()])
