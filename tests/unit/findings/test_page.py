"""The whole page: structure, figures, and runs that lack something."""

import re

import pandas as pd
import pytest

from pipeline_lib.errors import ArtifactError
from pipeline_lib.figures.catalog import CHECKPOINT_FIGURES, FIGURES
from pipeline_lib.findings.page import CAPTIONS, template, write_findings
from pipeline_lib.findings.tables import COLUMNS, PICTURES, read_tables
from tests.unit.findings.conftest import OPERATORS, SETTINGS

HEADINGS = re.findall(r"^##? .*$", template(), flags=re.M)


def page(tables, pictures=PICTURES, settings=SETTINGS):
    return write_findings("some-model", tables, OPERATORS, pictures, settings)


def headings(text):
    return re.findall(r"^##? .*$", text, flags=re.M)


def test_the_template_has_no_number_that_a_run_could_change():
    text = re.sub(r'"[^"]*"|\b95 %|\$\w+', "", template())
    assert re.findall(r"\d+", text) == []


def test_the_page_has_the_templates_headings_and_nothing_unfilled(tables):
    text = page(tables)
    assert headings(text) == [line.replace("$model", "some-model") for line in HEADINGS]
    assert re.search(r"\$|nan|None|\{|\}", text) is None
    assert "\n\n\n" not in text


def test_it_shows_the_figures_that_the_run_has(tables):
    assert set(CAPTIONS) == set(PICTURES)
    shown = re.findall(r"!\[(\w+)\]\((\w+)\.png\)", page(tables, PICTURES[:2]))
    assert shown == [(name, name) for name in PICTURES[:2]]


def test_tables_and_figures_are_those_of_the_catalogue():
    known = {*FIGURES, *CHECKPOINT_FIGURES}
    assert {*COLUMNS, *PICTURES} - known == set()


@pytest.mark.parametrize("missing", sorted({*COLUMNS} - {"table03_accuracy"}))
def test_a_run_may_lack_the_rows_of_any_table(tables, missing):
    text = page({**tables, missing: tables[missing].head(0)})
    assert re.search(r"\$|nan|None", text) is None
    assert len(headings(text)) == len(HEADINGS)


def test_a_run_without_any_prompt_says_so_everywhere(nothing):
    text = page(nothing)
    assert text.count("No prompt is valid in this run") == len(OPERATORS)
    for said in ("effect was measured", "probe was trained", "maps were explained"):
        assert f"No {said}" in text
    assert "No training checkpoints" in text
    assert "Of addition, subtraction and multiplication nothing was measured" in text
    assert re.search(r"\$|nan|None", text) is None


def test_tables_that_a_run_does_not_have_are_empty_and_broken_ones_an_error(tmp_path, tables):
    path = tmp_path / "table.csv"
    tables["heuristic_counts"].to_csv(path, index=False)
    found = read_tables({"heuristic_counts": path})
    pd.testing.assert_frame_equal(found["heuristic_counts"], tables["heuristic_counts"])
    assert all(found[name].empty for name in COLUMNS if name != "heuristic_counts")
    with pytest.raises(ArtifactError, match="lacks the columns"):
        read_tables({"fig_rivals": path})


def test_the_first_lines_follow_the_numbers(tables):
    short = page(tables).split("## ")[1].splitlines()
    assert short[2] == "- The model answers 100 % of addition and 97.6 % of subtraction right."
    assert "are those of MLP 1 (6.5), L0H0 (4.0) and L1H1 (2.0)." in short[3]
    assert "readable better than chance from layer 0 on" in short[3]
    assert short[4] == (
        "- Circuits of 1 to 2 heads, with all MLPs, have a faithfulness of 0.90 to 0.97."
    )
    assert short[5].startswith(
        "- At the threshold 90.0 % of the top neurons match a heuristic, and"
    )
    assert short[5].endswith("50.0 % of maps that mean nothing; under the false discovery rate "
                             "40.0 %, and 2.0 %.")  # fmt: skip
    assert short[6] == "- Heuristics win against Fourier modes in every operator compared."
