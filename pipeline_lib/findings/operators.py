"""A paragraph an operator: circuit, neurons, rivals, periods, knockout."""

from collections.abc import Sequence

from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings import neurons, rivals
from pipeline_lib.findings.tables import Tables, rows_of, studied
from pipeline_lib.findings.words import listed


def paragraphs(tables: Tables, operators: Sequence[str], rule: str) -> str:
    """One for each operator, in their order."""
    return "\n\n".join(paragraph(tables, operator, rule) for operator in operators)


def paragraph(tables: Tables, operator: str, rule: str) -> str:
    """What was found of one operator, or why nothing was."""
    name = f"**{OPERATOR_TITLES[operator].capitalize()}.**"
    if not studied(tables, [operator]):
        return f"{name} {missing(tables, operator)}"
    parts = [
        heads(tables, operator),
        neurons.types(tables, operator, rule),
        rivals.numbers(tables, operator),
        rivals.periods(tables, operator),
        neurons.silencing(tables, operator),
    ]
    return " ".join([name, *filter(None, parts)])


def missing(tables: Tables, operator: str) -> str:
    """Why nothing was measured of an operator."""
    row = rows_of(tables["table03_accuracy"], operator=operator)
    if not row["prompts"].sum():
        return "No prompt is valid in this run, so nothing was measured."
    return "The model answers no prompt right, so nothing more was measured."


def heads(tables: Tables, operator: str) -> str:
    """The heads of one operator's circuit, the strongest first."""
    names = rows_of(tables["table02_circuit_heads"], operator=operator)["head"].tolist()
    return f"Circuit: {listed(names)}." if names else "No circuit."
