"""Scorecard: what the paper states for this model, what this run found, and the difference.

This run's numbers are read from the tables beside its figures.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.heuristic_counts import ANY
from pipeline_lib.figures.style import OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure
from pipeline_lib.published.arithmetic import published_numbers
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

ALL = "all"
TITLES = {
    "accuracy": "accuracy on all valid prompts",
    "n_heads": "heads of the circuit",
    "shared_heads": "heads of the circuit that are among the paper's",
    "faithfulness": "faithfulness of the circuit",
    "without_heuristic_associated": "accuracy without a heuristic, on its prompts",
    "without_heuristic_other": "accuracy without a heuristic, on other prompts",
    "without_prompt_neurons": "accuracy without the neurons of the prompt's heuristics",
    "without_other_neurons": "accuracy without other top neurons",
    "smallest_overlap": "smallest overlap of two operators' top neurons (IoU)",
    "largest_overlap": "largest overlap of two operators' top neurons (IoU)",
    "classified": "share of the top neurons with a heuristic",
}
COUNTS = ("n_heads", "shared_heads")
COLUMNS = ["quantity", "operator", "paper", "run", "difference", "low", "high", "source", "note"]
NOT_PUBLISHED = "The paper states no numbers for this model."
BOOTSTRAP_SEED = 0


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table from the tables of figures 7, 8 and 15, of tables 1 to 3 and heuristic counts.

    ``settings`` has the model's ``repo`` and ``revision`` on the hub (None for a local folder), and
    the run's ``max_operand``, ``threshold`` and ``rule`` of matching.
    """
    published = published_numbers(settings["repo"], settings["revision"])
    found = pd.DataFrame(
        [
            *accuracies(store.read_table(inputs["accuracy"]), operators),
            *circuits(store.read_table(inputs["heads"]), operators, stated_heads(published)),
            *faithfulness(store.read_table(inputs["faithfulness"]), operators),
            *without_heuristics(store.read_table(inputs["by_heuristic"]), operators),
            *without_neurons(store.read_table(inputs["by_prompt"]), operators),
            *overlaps(store.read_table(inputs["overlap"])),
            classified(store.read_table(inputs["counts"])),
        ],
        columns=Row._fields,
    )
    table = compare(found, published, {**settings, "operators": list(operators)})
    return Drawn(draw_scorecard(table), table)


class Row(NamedTuple):
    """One number of the run; NaN where there is none, or no interval."""

    quantity: str
    operator: str
    run: float
    low: float = np.nan
    high: float = np.nan
    note: str = ""


def accuracies(table: pd.DataFrame, operators: Sequence[str]) -> list[Row]:
    """Share of right answers to all valid prompts; no sample, so no interval."""
    rows = table.set_index("operator").reindex(operators)
    total = rows["prompts"].sum()
    shares = {**rows["accuracy"], ALL: rows["correct"].sum() / total if total else np.nan}
    return [Row("accuracy", str(op), float(share)) for op, share in shares.items()]


def stated_heads(published: pd.DataFrame) -> dict[str, set[str]]:
    """The published heads of every operator that has a list."""
    rows = published[published["quantity"] == "heads"]
    return {op: set(text.split()) for op, text in zip(rows["operator"], rows["value"], strict=True)}


def circuits(
    table: pd.DataFrame, operators: Sequence[str], stated: dict[str, set[str]]
) -> list[Row]:
    """Heads of every circuit, and how many the published list has too where there is one."""
    rows: list[Row] = []
    for operator in operators:
        own = table[table["operator"] == operator]
        note = "named in the config" if (own["source"] == "config").any() else ""
        size = float(len(own)) if len(own) else np.nan
        rows.append(Row("n_heads", operator, size, note=note))
        if operator in stated:
            shared = float(own["head"].isin(stated[operator]).sum()) if len(own) else np.nan
            rows.append(Row("shared_heads", operator, shared, note=note))
    return rows


def faithfulness(table: pd.DataFrame, operators: Sequence[str]) -> list[Row]:
    """Mean faithfulness of every circuit of heads, with the interval of table 1."""
    rows = table.set_index("operator").reindex(operators)
    return [
        Row("faithfulness", str(op), row["faithfulness"], row["low"], row["high"])
        for op, row in rows.iterrows()
    ]


def without_heuristics(table: pd.DataFrame, operators: Sequence[str]) -> Iterable[Row]:
    """Mean accuracy over knocked-out heuristics; the interval resamples heuristics."""
    for side in ("associated", "other"):
        for operator in operators:
            own = table.loc[table["operator"] == operator, side].to_numpy(dtype=np.float64)
            rng = generator(BOOTSTRAP_SEED, "scorecard", side, operator)
            low, high = bootstrap_mean_interval(own, rng)
            mean = float(own.mean()) if len(own) else np.nan
            note = f"heuristics: {len(own)}"
            yield Row(f"without_heuristic_{side}", operator, mean, float(low), float(high), note)


def without_neurons(table: pd.DataFrame, operators: Sequence[str]) -> Iterable[Row]:
    """Accuracy at the largest number of silenced neurons that figure 8 shows."""
    for condition, name in (
        ("heuristic", "without_prompt_neurons"),
        ("control", "without_other_neurons"),
    ):
        for operator in operators:
            own = table[(table["operator"] == operator) & (table["condition"] == condition)]
            own = own[own["drawn"].astype(bool) & (own["limit"] > 0)]
            if own.empty:
                yield Row(name, operator, np.nan, note="too few neurons")
                continue
            last = own.loc[own["limit"].idxmax()]
            note = f"up to {last['limit']} neurons a layer"
            yield Row(name, operator, last["accuracy"], last["low"], last["high"], note)


def overlaps(table: pd.DataFrame) -> list[Row]:
    """Smallest and largest overlap of two different operators (NaN with one operator)."""
    iou = table.loc[table["operator_1"] != table["operator_2"], "iou"].to_numpy(dtype=np.float64)
    iou = iou[~np.isnan(iou)]
    ends = (iou.min(), iou.max()) if len(iou) else (np.nan, np.nan)
    names = ("smallest_overlap", "largest_overlap")
    return [Row(name, ALL, float(end)) for name, end in zip(names, ends, strict=True)]


def classified(table: pd.DataFrame) -> Row:
    """Share of all operators' top neurons that belong to a heuristic."""
    own = table[table["type"] == ANY]
    total = own["top_neurons"].sum()
    share = float(own["neurons"].sum() / total) if total else np.nan
    return Row("classified", ALL, share)


def compare(found: pd.DataFrame, published: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    """Every number of the run beside the published one, NaN where there is none (`COLUMNS`).

    The notes say where the run's conditions are not the paper's.
    """
    shared = published[published["quantity"] == "heads"].assign(
        quantity="shared_heads", value=lambda rows: rows["value"].str.split().str.len()
    )
    stated = pd.concat([published[published["quantity"] != "heads"], shared])
    stated = stated.assign(paper=pd.to_numeric(stated["value"])).drop(columns="value")
    table = found.merge(stated, on=["quantity", "operator"], how="left")
    table["difference"] = table["run"] - table["paper"]
    conditions = stated[stated["operator"] == ALL].set_index("quantity")["paper"]
    table["note"] = [
        "; ".join(filter(None, [row["note"], _condition(row, conditions, settings)]))
        for row in table.to_dict("records")
    ]
    order = {name: place for place, name in enumerate(TITLES)}
    table = table.sort_values("quantity", key=lambda names: names.map(order), kind="stable")
    return table[COLUMNS].reset_index(drop=True)


def _condition(row: dict[Any, Any], conditions: pd.Series, settings: dict[str, Any]) -> str:
    """In what the run differs from the paper, for quantities that it has a condition for."""
    if np.isnan(row["paper"]):
        return ""
    studied = settings["operators"]
    if row["operator"] == ALL and len(studied) < len(OPERATOR_TITLES):
        return f"only {', '.join(OPERATOR_TITLES[name] for name in studied)}"
    if row["quantity"] == "accuracy" and conditions["max_operand"] != settings["max_operand"]:
        return f"operands below {settings['max_operand']}, not {conditions['max_operand']:.0f}"
    if row["quantity"] == "classified" and settings.get("rule") == "fdr":
        return "by false discovery rate, not by scores"
    if row["quantity"] == "classified" and conditions["threshold"] != settings["threshold"]:
        return f"scores from {settings['threshold']:g}, not {conditions['threshold']:g}"
    return ""


def draw_scorecard(table: pd.DataFrame) -> Figure:
    """The table at the width of a page; 95 % intervals in brackets."""
    cells = pd.DataFrame(
        {
            "quantity": table["quantity"].map(TITLES),
            "operator": table["operator"].replace(OPERATOR_TITLES),
            "paper": _numbers(table, "paper"),
            "this run": [
                f"{number} [{low:.2f}, {high:.2f}]" if np.isfinite([low, high]).all() else number
                for number, low, high in zip(
                    _numbers(table, "run"), table["low"], table["high"], strict=True
                )
            ],
            "difference": _numbers(table, "difference", "+"),
            "from": table["source"].fillna(""),
            "note": table["note"],
        }
    )
    remark = NOT_PUBLISHED if table["paper"].isna().all() else ""
    with style():
        right = ("paper", "this run", "difference")
        return table_figure(cells, width=PAGE, right=right, group="quantity", remark=remark)


def _numbers(table: pd.DataFrame, name: str, sign: str = "") -> list[str]:
    """Counts without decimals, shares with two; nothing where there is no number."""
    return [
        "" if np.isnan(value) else f"{value:{sign}.{0 if quantity in COUNTS else 2}f}"
        for quantity, value in zip(table["quantity"], table[name], strict=True)
    ]
