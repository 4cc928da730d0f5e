"""What the neurons look for: shares classified beside nulls, and knockouts beside controls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline_lib.figures.fig_classified_share import FALSE, SHARES
from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings.tables import Tables, rows_of, studied
from pipeline_lib.findings.words import (
    NONE,
    clauses,
    counted,
    decimal,
    markdown_table,
    percent,
    percent_spread,
    sentence,
)
from pipeline_lib.stats import wilson_interval

TYPE_NAMES = {
    "range": "ranges",
    "modulo": "residues",
    "pattern": "digit patterns",
    "value": "single values",
    "same_operands": "equal operands",
    "multi_value": "sets of results",
}
N_TYPES = 3
SHARE_HEAD = ["operator", "top neurons", "at threshold", "nulls", "at FDR", "nulls"]


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Shares:
    """Shares of one operator's neurons that pass either rule, and of the maps of every null."""

    real: dict[str, Rate] = field(default_factory=dict)
    nulls: dict[str, dict[str, Rate]] = field(default_factory=dict)

    def worst(self, rule: str) -> Rate | None:
        """The null of which most passes; None where no neuron does, as then no null can."""
        if rule in self.real and not self.real[rule].value:
            return None
        return max(self.nulls.get(rule, {}).values(), key=lambda rate: rate.value, default=None)


def shares(table: pd.DataFrame, operator: str) -> Shares:
    """One operator's rows of fig_classified_share; rules are "threshold" and "fdr"."""
    found = Shares()
    for _, row in rows_of(table, operator=operator).dropna(subset=["value"]).iterrows():
        rate = Rate(float(row["value"]), float(row["low"]), float(row["high"]))
        for rule in SHARES:
            if row["what"] == SHARES[rule]:
                found.real[rule] = rate
            elif row["what"] == FALSE[rule]:
                found.nulls.setdefault(rule, {})[str(row["rule_or_null"])] = rate
    return found


def threshold_verdict(found: Shares) -> str:
    """Do more real neurons than maps of every null reach the threshold, by their intervals."""
    real, null = found.real.get("threshold"), found.worst("threshold")
    if real is None or null is None:
        return "unknown"
    return "more" if real.low > null.high else "open"


def fdr_verdict(found: Shares, nominal: float) -> str:
    """Is there a null of which, by its interval, more passes than the rule's ``nominal`` rate.

    "nobody" where no neuron passes.
    """
    nulls = found.nulls.get("fdr", {}).values()
    if not nulls or "fdr" not in found.real:
        return "unknown"
    if not found.real["fdr"].value:
        return "nobody"
    return "above" if any(rate.low > nominal for rate in nulls) else "held"


def classified(tables: Tables, operators: Sequence[str], nominal: float) -> str:
    """What shares of classified neurons are worth, beside those of the nulls."""
    found = {op: shares(tables["fig_classified_share"], op) for op in studied(tables, operators)}
    verdicts = {op: threshold_verdict(each) for op, each in found.items()}
    if set(verdicts.values()) <= {"unknown"}:
        return "This run did not compare the neurons with nulls."
    words = clauses(
        verdicts,
        {
            "more": "at the threshold measurably more neurons match than maps of any null in {}",
            "open": "at the threshold not measurably more neurons match than maps of a null in {}",
            "unknown": "no null was made in {}",
        },
    )
    share = f"measurably more than {100 * nominal:g} % have the evidence of a classified neuron"
    rates = clauses(
        {op: fdr_verdict(each, nominal) for op, each in found.items()},
        {
            "held": f"under the rule fdr, of no null's maps {share} in {{}}",
            "nobody": "under the rule fdr no neuron matches in {}",
            "above": f"under the rule fdr, of some null's maps {share} in {{}}",
        },
    )
    return f"{sentence(words)} {sentence(rates)}".strip()


def share_table(tables: Tables, operators: Sequence[str]) -> str:
    """Shares of the top neurons under both rules, each beside the null that passes most often."""
    rows = []
    for operator in operators:
        found = shares(tables["fig_classified_share"], operator)
        cells = [OPERATOR_TITLES[operator], str(n_neurons(tables, operator) or NONE)]
        for rule in ("threshold", "fdr"):
            pair = (found.real.get(rule), found.worst(rule))
            cells += [percent(rate.value) if rate else NONE for rate in pair]
        rows.append(cells)
    return markdown_table(SHARE_HEAD, rows)


def of_type(tables: Tables, operator: str) -> pd.Series:
    """Neurons that match heuristics of every type, over all layers; "any": of any type."""
    counts = rows_of(tables["heuristic_counts"], operator=operator)
    return counts.groupby("type", sort=False)["neurons"].sum()


def n_neurons(tables: Tables, operator: str) -> int:
    """Top neurons of an operator in all layers."""
    any_type = rows_of(tables["heuristic_counts"], operator=operator, type="any")
    return int(any_type["top_neurons"].sum())


def types(tables: Tables, operator: str) -> str:
    """The types that most neurons match under the configured rule, with how many do."""
    counts = of_type(tables, operator)
    named = counts[counts.index.isin(list(TYPE_NAMES)) & (counts > 0)]
    first = named.sort_values(ascending=False, kind="stable").head(N_TYPES)
    return ", ".join(f"{TYPE_NAMES[str(name)]} {count}" for name, count in first.items())


@dataclass(frozen=True)
class Silenced:
    """Accuracy with the neurons of the heuristics of a prompt silenced, and with as many others."""

    verdict: str
    accuracy: float = float("nan")
    control: float = float("nan")
    limit: int = 0


def silenced(table: pd.DataFrame, operator: str) -> Silenced:
    """At the largest limit that has a control, against the control that costs the most accuracy.

    "lower" or "higher" where the Wilson intervals are apart, else "open".
    """
    rows = rows_of(table, operator=operator)
    controls = rows[(rows["condition"] != "heuristic") & rows["drawn"].astype(bool)]
    controls = controls[controls["mean_neurons"] > 0]
    if controls.empty:
        return Silenced("uncontrolled" if len(rows) else "none")
    at_largest = controls[controls["limit"] == controls["limit"].max()]
    control = at_largest.loc[at_largest["accuracy"].idxmin()]
    own = rows_of(rows, condition="heuristic", limit=control["limit"]).iloc[0]
    accuracy = np.array([own["accuracy"], control["accuracy"]], dtype=np.float64)
    n = np.array([own["n_prompts"], control["n_prompts"]], dtype=np.int64)
    low, high = wilson_interval(accuracy, n)
    verdict = "lower" if high[0] < low[1] else "higher" if low[0] > high[1] else "open"
    return Silenced(verdict, float(accuracy[0]), float(accuracy[1]), int(control["limit"]))


def knockouts(tables: Tables, operators: Sequence[str]) -> str:
    """In how many operators silencing does more than its control."""
    table = tables["fig08_prompt_knockout"]
    found = [silenced(table, op).verdict for op in studied(tables, operators)]
    tested = [verdict for verdict in found if verdict in ("lower", "higher", "open")]
    if not tested:
        return "Silencing the neurons of a prompt's heuristics has no control."
    return (
        "Silencing the neurons of a prompt's heuristics costs more accuracy than a control in "
        f"{counted(tested.count('lower'), len(tested))} operators that have one."
    )


def by_heuristic(tables: Tables) -> str:
    """Over all heuristics knocked out: their own prompts against others, by intervals."""
    table = tables["fig07_heuristic_knockout"].dropna(subset=["associated", "other"])
    if table.empty:
        return "No heuristic has enough neurons to be silenced as one."
    apart = int((table["associated_high"] < table["other_low"]).sum())
    associated = decimal(float(table["associated"].mean()))
    return (
        f"Silencing all neurons of one heuristic leaves a mean accuracy of {associated} on its own "
        f"prompts and {decimal(float(table['other'].mean()))} on others; the intervals are apart, "
        f"own prompts below, for {counted(apart, len(table))} heuristics."
    )


def silencing(tables: Tables, operator: str) -> tuple[str, str]:
    """Accuracy with the neurons of a prompt's heuristics silenced, and with its control.

    The first is marked where the intervals are apart.
    """
    found = silenced(tables["fig08_prompt_knockout"], operator)
    mark = f" ({found.verdict})" if found.verdict in ("lower", "higher") else ""
    return f"{percent(found.accuracy)}{mark}", percent(found.control)


def share_range(tables: Tables, operators: Sequence[str], rule: str) -> tuple[str, str] | None:
    """Shares under one rule over the operators: of neurons, and of the null that passes most."""
    found = [shares(tables["fig_classified_share"], op) for op in operators]
    real = [each.real[rule].value for each in found if rule in each.real]
    nulls = [worst.value for each in found if (worst := each.worst(rule))]
    return (percent_spread(real), percent_spread(nulls)) if real and nulls else None
