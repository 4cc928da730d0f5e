"""Where the work is done: accuracy, effects of heads and MLPs, probes, circuits."""

from collections.abc import Sequence

import pandas as pd

from pipeline_lib.figures.circuit_tests import CIRCUIT
from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings.tables import Tables, rows_of, studied
from pipeline_lib.findings.words import (
    NONE,
    between,
    clauses,
    counted,
    decimal,
    listed,
    markdown_table,
    p_value,
    percent,
    sentence,
    spread,
)
from pipeline_lib.neurons.agreement import EVERY_LAYER

LEVEL = 0.05
"""Of p-values and of the false discovery rate."""
N_STRONGEST = 5
POSITION_NAMES = {
    "operand1": "operand 1",
    "operator": "the operator",
    "operand2": "operand 2",
    "equals": '"="',
}
CIRCUIT_HEAD = ["operator", "prompts", "right", "held out", "heads", "faithfulness", "p"]


def component_name(layer: int, component: str) -> str:
    """Short name of a component: L2H1, MLP 2."""
    if component == "mlp":
        return f"MLP {layer}"
    return f"L{layer}H{component.removeprefix('head_')}"


def accuracies(tables: Tables, operators: Sequence[str]) -> str:
    """What the model answers right, operator by operator."""
    table = tables["table03_accuracy"].set_index("operator")
    asked = [op for op in operators if table.loc[op, "prompts"]]
    parts = [
        f"{percent(float(table.loc[op, 'accuracy']))} of {OPERATOR_TITLES[op]}" for op in asked
    ]
    return f"The model answers {listed(parts)} right." if parts else "No prompt is valid."


def found_components(tables: Tables) -> pd.DataFrame:
    """Heads and MLPs that pass the false discovery rate, the largest change of log odds first."""
    table = tables["fig02_localization_summed"]
    found = table[table["q"] <= LEVEL]
    return found.loc[found["log_odds"].abs().sort_values(ascending=False).index]


def strongest(found: pd.DataFrame, n: int = N_STRONGEST) -> str:
    """The first components of a table with their change of log odds."""
    first = found.head(n)
    return listed(
        [
            f"{component_name(layer, component)} ({decimal(-change, 1)})"
            for layer, component, change in zip(
                first["layer"], first["component"], first["log_odds"], strict=True
            )
        ]
    )


def effects(tables: Tables) -> str:
    """How many components matter, which most, and which most at each position."""
    everyone, found = tables["fig02_localization_summed"], found_components(tables)
    if everyone.empty:
        return "No effect was measured."
    total = counted(len(found), len(everyone))
    said = f"Of the heads and MLPs, {total} move the log odds when patched (q ≤ {LEVEL})"
    if found.empty:
        return f"{said}."
    return f"{said}; most: {strongest(found)}. {by_position(tables)}"


def by_position(tables: Tables) -> str:
    """The component with the largest change at each position, of those that pass."""
    cells = tables["fig02_localization"]
    cells = cells[cells["q"] <= LEVEL]
    parts = []
    for position, name in POSITION_NAMES.items():
        here = rows_of(cells, position=position)
        if len(here):
            row = here.loc[here["log_odds"].abs().idxmax()]
            parts.append(f"{component_name(int(row['layer']), row['component'])} at {name}")
    return sentence(
        f"the largest effect of one position is that of {listed(parts)}" if parts else ""
    )


def readable_from(tables: Tables) -> int | None:
    """First layer from which on probes at "=" beat the commonest answer and shuffled labels."""
    table = rows_of(tables["fig03_probe_accuracy"], position="equals")
    answer = rows_of(table, variant="answer").set_index("layer")
    shuffled = rows_of(table, variant="shuffled").set_index("layer")["high"]
    above = (answer["low"] > answer["chance"]) & (answer["low"] > shuffled.reindex(answer.index))
    lasting = above.sort_index(ascending=False).cummin()
    return int(lasting[lasting].index.min()) if lasting.any() else None


def probes(tables: Tables) -> str:
    """From which layer on the answer can be read, how well at last, and how well before "="."""
    table = rows_of(tables["fig03_probe_accuracy"], variant="answer")
    at_end = rows_of(table, position="equals")
    if at_end.empty:
        return "No probe was trained."
    first, last = readable_from(tables), at_end.loc[at_end["layer"].idxmax()]
    if first is None:
        said = 'at "=" no layer lets a linear probe read the answer better than chance'
    else:
        said = (
            f'a linear probe reads the answer at "=" better than chance from layer {first} on, '
            f"and in layer {last['layer']} for {percent(last['mean'])} of prompts "
            f"(the commonest answer: {percent(last['chance'])})"
        )
    earlier = table[table["position"] != "equals"]
    if len(earlier):
        best = earlier.loc[earlier["mean"].idxmax()]
        place = POSITION_NAMES.get(best["position"], best["position"])
        said += f"; before that at most for {percent(best['mean'])}, at {place}"
    return sentence(said)


def p_of(tables: Tables, operator: str) -> float:
    """Largest p of the circuit's faithfulness among the kinds of random heads that can tell.

    NaN where there are none: of fewer than 1 / `LEVEL` sets, the circuit among them, none can.
    """
    table = rows_of(tables["fig_circuit_test"], operator=operator)
    nulls = table[(table["kind"] != CIRCUIT) & (table["n_possible"] >= 1 / LEVEL)]
    return float(nulls["p"].max())


def circuit_verdicts(tables: Tables, operators: Sequence[str]) -> dict[str, str]:
    """Per operator: is its circuit more faithful than as many random heads."""
    found = {}
    for operator in studied(tables, operators):
        p = p_of(tables, operator)
        found[operator] = "untested" if pd.isna(p) else "better" if p <= LEVEL else "open"
    return found


def sizes(tables: Tables, operators: Sequence[str]) -> str:
    """How many heads the circuits have and how faithful they are, over the operators."""
    table = tables["table01_faithfulness"].dropna(subset=["faithfulness"])
    table = table[table["operator"].isin(list(operators))]
    if table.empty:
        return "No circuit was found."
    heads = spread(table["size"].astype(float).tolist(), 0)
    faithful = spread(table["faithfulness"].tolist())
    return f"Circuits of {heads} heads, with all MLPs, have a faithfulness of {faithful}."


def circuits(tables: Tables, operators: Sequence[str]) -> str:
    """What the circuits are worth among random ones, and which heads they share."""
    words = clauses(
        circuit_verdicts(tables, operators),
        {
            "better": f"more faithful than random sets of as many heads in {{}} (p ≤ {LEVEL})",
            "open": "not distinguishable from random sets of as many heads in {}",
            "untested": "not tested in {}, where too few sets of heads are possible",
        },
    )
    said = sentence(f"The circuits are {words}") if words else "There is no circuit."
    return said + shared_heads(tables)


def shared_heads(tables: Tables) -> str:
    """The heads that are in the circuit of every operator that has one."""
    heads = tables["table02_circuit_heads"]
    sets = [set(group["head"]) for _, group in heads.groupby("operator")]
    if len(sets) < 2:
        return ""
    common = sorted(set.intersection(*sets))
    words = f"{listed(common)} in every one" if common else "no head in every one"
    return f" They have {words}."


def circuit_table(tables: Tables, operators: Sequence[str]) -> str:
    """Accuracy and circuit of every operator."""
    accuracy = tables["table03_accuracy"].set_index("operator")
    faithful = tables["table01_faithfulness"].set_index("operator")
    rows = []
    for operator in operators:
        row = accuracy.loc[operator]
        if not row["prompts"]:
            rows.append([OPERATOR_TITLES[operator], "0", *[NONE] * (len(CIRCUIT_HEAD) - 2)])
            continue
        cells = [OPERATOR_TITLES[operator], f"{int(row['prompts']):,}"]
        cells += [percent(float(row[name])) for name in ("accuracy", "held_out_accuracy")]
        if operator in faithful.index and pd.notna(faithful.loc[operator, "faithfulness"]):
            of = faithful.loc[operator]
            ends = between(float(of["low"]), float(of["high"]))
            cells += [f"{int(of['size'])}", f"{decimal(float(of['faithfulness']))} {ends}"]
        else:
            cells += [NONE, NONE]
        rows.append([*cells, p_value(p_of(tables, operator))])
    return markdown_table(CIRCUIT_HEAD, rows)


def attribution(tables: Tables) -> str:
    """How well the gradient ranks neurons, against patching each alone."""
    table = rows_of(
        tables["fig_attribution_truth"], panel="agreement", truth="log_odds", measure="spearman"
    )
    whole = rows_of(table, layer=EVERY_LAYER, estimate="gradient")
    values = whole["value"].dropna().tolist()
    if not values:
        return ""
    return (
        "Neurons are ranked by attribution patching; its rank correlation with the exact "
        f"effects of single neurons is {spread(values)}."
    )
