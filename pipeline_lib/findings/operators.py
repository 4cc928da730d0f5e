"""A row an operator: circuit, neurons, rivals, periods, knockout."""

from collections.abc import Sequence

from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings import neurons, rivals
from pipeline_lib.findings.tables import Tables, rows_of, studied
from pipeline_lib.findings.words import NONE, markdown_table

HEAD = [
    "operator",
    "circuit",
    "matching neurons",
    "heuristics",
    "modes",
    "difference",
    "short periods",
    "silenced",
    "control",
]


def rows(tables: Tables, operators: Sequence[str]) -> str:
    """A table with a row for each operator, and below it why some have nothing."""
    told = studied(tables, operators)
    table = markdown_table(HEAD, [row(tables, op) for op in told]) if told else ""
    return "\n\n".join(filter(None, [table, *missing(tables, operators)]))


def row(tables: Tables, operator: str) -> list[str]:
    """What was found of one operator."""
    return [
        OPERATOR_TITLES[operator],
        heads(tables, operator) or NONE,
        neurons.types(tables, operator) or NONE,
        *rivals.numbers(tables, operator),
        rivals.periods(tables, operator) or NONE,
        *neurons.silencing(tables, operator),
    ]


def missing(tables: Tables, operators: Sequence[str]) -> list[str]:
    """Why nothing was measured of the operators that have no row."""
    told = studied(tables, operators)
    return [
        f"**{OPERATOR_TITLES[op].capitalize()}.** {reason(tables, op)}"
        for op in operators
        if op not in told
    ]


def reason(tables: Tables, operator: str) -> str:
    """What keeps an operator from being studied."""
    table = rows_of(tables["table03_accuracy"], operator=operator)
    if not table["prompts"].sum():
        return "No prompt is valid in this run, so nothing was measured."
    return "The model answers no prompt right, so nothing more was measured."


def heads(tables: Tables, operator: str) -> str:
    """The heads of one operator's circuit, the strongest first."""
    return ", ".join(rows_of(tables["table02_circuit_heads"], operator=operator)["head"])
