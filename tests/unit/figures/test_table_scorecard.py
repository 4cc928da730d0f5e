"""The scorecard, from tables of figures written by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures import (
    fig07_heuristic_knockout,
    fig08_prompt_knockout,
    fig15_neuron_iou,
    heuristic_counts,
    table01_faithfulness,
    table02_circuit_heads,
    table03_accuracy,
    table_scorecard,
)

OPERATORS = ["add", "sub", "mul", "div"]
LLAMA = {
    "repo": "meta-llama/Meta-Llama-3-8B", "revision": "c" * 40, "max_operand": 300,
    "threshold": 0.6,
}  # fmt: skip
LOCAL = LLAMA | {"repo": None, "revision": None}


def rows(columns, *values):
    table = pd.DataFrame(values)
    return table.reindex(columns=columns)


def tables():
    """add and sub have results, mul has one heuristic and nothing else, div has no prompts."""
    heads = ["L2H2", "L5H3", "L9H9"]
    return {
        "accuracy": rows(
            table03_accuracy.COLUMNS,
            {"operator": "add", "prompts": 100, "correct": 90, "accuracy": 0.9},
            {"operator": "sub", "prompts": 50, "correct": 10, "accuracy": 0.2},
            {"operator": "mul", "prompts": 50, "correct": 0, "accuracy": 0.0},
            {"operator": "div", "prompts": 0, "correct": 0},
        ),
        "heads": rows(
            table02_circuit_heads.COLUMNS,
            *({"operator": "add", "head": name, "source": "ranked"} for name in heads),
            {"operator": "sub", "head": "L13H21", "source": "config"},
        ),
        "faithfulness": rows(
            [*table01_faithfulness.COLUMNS, *table01_faithfulness.AREA_COLUMNS],
            {"operator": "add", "size": 3, "faithfulness": 0.87, "low": 0.8, "high": 0.9},
            {"operator": "sub", "size": 1},
        ),
        "by_heuristic": rows(
            fig07_heuristic_knockout.COLUMNS,
            {"operator": "add", "associated": 0.2, "other": 0.9},
            {"operator": "add", "associated": 0.6, "other": 0.9},
            {"operator": "mul", "associated": 0.5, "other": 0.5},
        ),
        "by_prompt": rows(
            fig08_prompt_knockout.COLUMNS,
            *(
                {"operator": "add", "condition": condition, "limit": limit, "accuracy": 1 - lost,
                 "low": 0.1, "high": 0.95, "drawn": condition == "heuristic" or limit < 20}
                for condition, factor in (("heuristic", 2), ("control", 1))
                for limit, lost in ((0, 0.0), (10, 0.1 * factor), (20, 0.3 * factor))
            ),
            {"operator": "sub", "condition": "control", "limit": 0, "accuracy": 1, "drawn": True},
        ),
        "overlap": rows(
            ["operator_1", "operator_2", "iou", "neurons_1", "neurons_2"],
            {"operator_1": "add", "operator_2": "add", "iou": 1.0},
            {"operator_1": "add", "operator_2": "sub", "iou": 0.25},
            {"operator_1": "add", "operator_2": "mul", "iou": 0.5},
            {"operator_1": "add", "operator_2": "div"},
        ),
        "counts": rows(
            heuristic_counts.COLUMNS,
            {"operator": "add", "layer": 1, "type": "any", "neurons": 3, "top_neurons": 4},
            {"operator": "add", "layer": 1, "type": "range", "neurons": 4, "top_neurons": 4},
            {"operator": "sub", "layer": 1, "type": "any", "neurons": 0, "top_neurons": 4},
        ),
    }  # fmt: skip


@pytest.fixture
def inputs(tmp_path):
    """The tables on disk, where the rule finds them."""
    for name, table in tables().items():
        store.write_table(tmp_path / f"{name}.csv", table)
    return {name: str(tmp_path / f"{name}.csv") for name in tables()}


def test_columns_read_are_those_that_the_figures_write():
    """Rows by hand would hide a renamed column."""
    assert fig15_neuron_iou.tabulate_overlap(
        {"add": pd.DataFrame({"layer": [0], "neuron": [1]})}
    ).columns.tolist() == list(tables()["overlap"].columns)


def scorecard(inputs, settings, operators=OPERATORS):
    drawn = table_scorecard.make(inputs, operators, settings)
    return drawn, drawn.table.set_index(["quantity", "operator"])


def test_the_run_beside_the_paper(inputs, write, words_of):
    drawn, table = scorecard(inputs, LLAMA)
    assert table.loc[("accuracy", "add"), ["paper", "run"]].tolist() == [0.97, 0.9]
    assert table.loc[("accuracy", "add"), "difference"] == pytest.approx(-0.07)
    assert table.loc[("accuracy", "all"), "run"] == 0.5
    assert table.loc[("accuracy", "all"), "paper"] == 0.95
    assert np.isnan(table.loc[("accuracy", "div"), ["run", "difference"]].astype(float)).all()
    assert table.loc[("accuracy", "div"), "paper"] == 0.92
    assert table.loc[("n_heads", "add"), ["paper", "run", "difference"]].tolist() == [6, 3, -3]
    # L2H2 and L5H3 are in the paper's list of addition, L9H9 is not
    assert table.loc[("shared_heads", "add"), ["paper", "run"]].tolist() == [6, 2]
    assert table.loc[("shared_heads", "sub"), ["run", "note"]].tolist() == [
        1, "named in the config",
    ]  # fmt: skip
    assert table.loc[("faithfulness", "add"), ["run", "low", "high"]].tolist() == [0.87, 0.8, 0.9]
    assert table.loc[("faithfulness", "add"), "source"] == "table 1"
    own = table.loc[("without_heuristic_associated", "add")]
    assert own[["paper", "run"]].tolist() == [0.56, pytest.approx(0.4)]
    assert own[["low", "high"]].tolist() == pytest.approx([0.2, 0.6])
    assert own["note"] == "heuristics: 2"
    assert table.loc[("without_heuristic_other", "mul"), "difference"] == pytest.approx(-0.39)
    assert table.loc[("smallest_overlap", "all"), ["paper", "run"]].tolist() == [0.52, 0.25]
    assert table.loc[("largest_overlap", "all"), ["paper", "run"]].tolist() == [0.56, 0.5]
    assert table.loc[("classified", "all"), ["paper", "run"]].tolist() == [0.91, 3 / 8]
    words = words_of(drawn)
    assert "0.87 [0.80, 0.90]" in words
    assert table_scorecard.NOT_PUBLISHED not in words
    write(drawn)


def test_knockouts_by_prompt_at_the_largest_number_that_is_drawn(inputs):
    _, table = scorecard(inputs, LLAMA)
    own = table.loc[("without_prompt_neurons", "add")]
    assert own["run"] == pytest.approx(0.4)
    assert own["note"] == "up to 20 neurons a layer"
    control = table.loc[("without_other_neurons", "add")]
    assert control["run"] == pytest.approx(0.9)
    assert control["note"] == "up to 10 neurons a layer"
    # nothing was silenced at the limit 0: that is no knockout
    assert np.isnan(table.loc[("without_other_neurons", "sub"), "run"])
    assert table["paper"].loc[["without_prompt_neurons", "without_other_neurons"]].isna().all()


def test_a_model_that_the_paper_does_not_have(inputs, write, words_of):
    drawn, table = scorecard(inputs, LOCAL)
    assert table[["paper", "difference", "source"]].isna().all(axis=None)
    assert "shared_heads" not in table.index.get_level_values("quantity")
    _, other = scorecard(inputs, LLAMA)
    same = other.drop(index="shared_heads", level="quantity")
    assert table["run"].to_numpy() == pytest.approx(same["run"].to_numpy(), nan_ok=True)
    assert table_scorecard.NOT_PUBLISHED in words_of(drawn)
    write(drawn)


def test_other_conditions_than_the_papers_are_noted(inputs):
    settings = LLAMA | {"max_operand": 30, "threshold": 0.55}
    _, table = scorecard(inputs, settings)
    assert table.loc[("accuracy", "add"), "note"] == "operands below 30, not 300"
    assert table.loc[("classified", "all"), "note"] == "scores from 0.55, not 0.6"
    _, local = scorecard(inputs, LOCAL | {"max_operand": 30, "threshold": 0.55})
    assert local.loc[("accuracy", "add"), "note"] == ""
    _, few = scorecard(inputs, LLAMA, ["add", "sub"])
    assert few.loc[("accuracy", "all"), "run"] == pytest.approx(2 / 3)
    assert few.loc[("accuracy", "all"), "note"] == "only addition, subtraction"


def test_a_run_without_any_result(inputs, write):
    for name, table in tables().items():
        store.write_table(inputs[name], table.iloc[:0])
    drawn, table = scorecard(inputs, LLAMA)
    assert table["run"].isna().all()
    assert table.loc[("accuracy", "add"), "paper"] == 0.97
    write(drawn)
