"""The page of findings of a finished run, against the tables beside it."""

import re

import pandas as pd
import pytest

from pipeline_lib.figures.style import OPERATOR_TITLES
from pipeline_lib.findings.page import template

OPERATORS = ("add", "sub", "mul", "div")


@pytest.fixture(scope="module")
def folder(finished_project):
    return finished_project / "figs" / "arithmetic" / "tiny-arith"


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "findings.md").read_text(encoding="utf-8")


def number(text):
    """The page writes minus signs, not hyphens."""
    return float(text.replace("−", "-"))


def rows(page, head):
    """Cells of the table whose head has a column of this name, by operator."""
    lines = page.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| ") and head in line)
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return found
        first, *cells = line.strip("| ").split(" | ")
        found[first] = cells
    return found


def test_it_is_filled_and_its_figures_lie_beside_it(page, folder):
    headings = re.findall(r"^##? .*$", page, flags=re.M)
    assert len(headings) == len(re.findall(r"^##? .*$", template(), flags=re.M))
    assert re.search(r"\$|\bnan\b|None", page) is None
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert 4 <= len(links) <= 6
    assert [link for link in links if not (folder / link).exists()] == []


def test_its_circuits_are_those_of_the_tables(page, folder):
    accuracy = pd.read_csv(folder / "table03_accuracy.csv").set_index("operator")
    faithful = pd.read_csv(folder / "table01_faithfulness.csv").set_index("operator")
    found = rows(page, "faithfulness")
    for operator in OPERATORS:
        prompts, _, _, heads, value, _ = found[OPERATOR_TITLES[operator]]
        assert prompts == f"{accuracy.loc[operator, 'prompts']:,}"
        assert heads == str(faithful.loc[operator, "size"])
        assert number(value.split()[0]) == pytest.approx(
            faithful.loc[operator, "faithfulness"], abs=0.0051
        )


@pytest.mark.parametrize("operator", OPERATORS)
def test_its_table_has_the_numbers_of_the_rivals(page, folder, operator):
    explained = pd.read_csv(folder / "fig_rivals.csv").query("operator == @operator")
    cells = rows(page, "short periods")[OPERATOR_TITLES[operator]]
    means = explained[["heuristics", "modes"]].mean().tolist()
    assert [number(text) for text in cells[2:4]] == pytest.approx(means, abs=0.0051)
