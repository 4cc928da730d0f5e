import numpy as np
import pandas as pd
import pytest

from pipeline_lib.measures.failures import (
    associated_neurons,
    compare_failures,
    draw_cases,
    tabulate_failures,
)

LABELLED = pd.DataFrame(
    {
        "operator": "add",
        "a": range(6),
        "b": 1,
        "answer": range(1, 7),
        "predicted": [1, 2, 3, 9, 9, -1],
        "label": ["correct"] * 3 + ["incorrect"] * 2 + ["not_a_number"],
    }
)


def test_cases_are_drawn_from_both_labels():
    cases = draw_cases(LABELLED, 2, np.random.default_rng(0))
    assert cases["label"].tolist() == ["correct"] * 2 + ["incorrect"] * 2
    assert not cases.duplicated().any()
    assert set(cases.loc[2:, "a"]) == {3, 4}
    everyone = draw_cases(LABELLED, 50, np.random.default_rng(0))
    assert sorted(everyone["a"]) == [0, 1, 2, 3, 4]
    assert draw_cases(LABELLED.iloc[:0], 50, np.random.default_rng(0)).empty


def test_table_by_hand():
    neurons = pd.DataFrame({"layer": [1, 1, 2], "neuron": [5, 7, 5]})
    matches = pd.DataFrame({"layer": [1, 1, 2], "neuron": [5, 5, 5]})
    # the first neuron has two heuristics, one of which holds for each prompt; the second has none
    member = np.array([[True, False], [False, True], [False, True]])
    associated = associated_neurons(matches, member, neurons)
    assert associated.tolist() == [[True, True], [False, False], [False, True]]
    k = np.array([[2.0, 3.0], [10.0, 10.0], [1.0, -1.0]])
    values = np.zeros((3, 7))
    values[0, 1], values[0, 4], values[1], values[2, 4] = 0.5, 1.0, 5.0, 4.0
    table = tabulate_failures(LABELLED.iloc[[0, 3]], associated, k, values)
    # prompt 0 (answer 1): 2 * .5; prompt 3 (answer 4, though 9 was written): 3 * 1 - 1 * 4
    assert table["logit"].tolist() == [1.0, -1.0]
    assert table["n_neurons"].tolist() == [1, 2]


def test_no_matches():
    neurons = pd.DataFrame({"layer": [1], "neuron": [5]})
    none = pd.DataFrame({"layer": [], "neuron": []}, dtype=np.int64)
    found = associated_neurons(none, np.zeros((0, 2), dtype=bool), neurons)
    assert found.tolist() == [[False, False]]


def table_of(correct, incorrect):
    labels = ["correct"] * len(correct) + ["incorrect"] * len(incorrect)
    logit = np.array([*correct, *incorrect], dtype=np.float64)
    return pd.DataFrame({"label": labels, "logit": logit, "n_neurons": 3})


def test_comparison_by_hand():
    found = compare_failures(table_of([4, 5, 6], [1, 2, 3]), np.random.default_rng(0))
    logit, count = found.to_dict("records")
    assert (logit["mean_correct"], logit["mean_incorrect"], logit["difference"]) == (5, 2, 3)
    # 2 of the 20 ways to split six values are as extreme
    assert logit["p_value"] == pytest.approx(0.1, abs=0.015)
    assert (count["difference"], count["p_value"]) == (0, 1)


def test_comparison_without_incorrect_prompts():
    found = compare_failures(table_of([4.0, 5.0], []), np.random.default_rng(0))
    assert found["n_incorrect"].tolist() == [0, 0]
    assert found["mean_correct"].tolist() == [4.5, 3.0]
    assert found[["mean_incorrect", "difference", "p_value"]].isna().all(axis=None)
