"""Precision and recall, by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.recovery.scoring import (
    Tally,
    precision_recall,
    tally,
    tally_neurons,
    tally_pairs,
)
from pipeline_lib.stimuli.arithmetic import valid_prompts

PROMPTS = valid_prompts("add", min_operand=0, max_operand=20, max_number=99)


def pairs(*rows):
    return pd.DataFrame(rows, columns=["neuron", "heuristic"])


def test_counts_of_two_sets():
    assert tally({1, 2, 3}, {2, 3, 4, 5}) == Tally(n_planted=4, n_found=3, n_right=2)


def test_heuristics_with_the_same_members_are_one():
    planted = pairs((7, "op1_range_10_20"), (8, "op2_value_3"))
    # below 20 the tens digit 1 is the range from 10 on: named twice, found once
    found = pairs((7, "op1_pattern_x1x"), (7, "op1_range_10_40"), (7, "op1_range_0_10"))
    assert tally_pairs(found, planted, PROMPTS) == Tally(2, 2, 1)


def test_low_on_a_heuristic_is_high_on_the_others():
    planted = pairs((7, "op2_range_0_10"), (8, "op1_mod_2_0"))
    found = pairs((7, "op2_range_10_40"), (8, "op1_mod_2_0")).assign(side="bottom")
    assert tally_pairs(found, planted, PROMPTS) == Tally(2, 2, 1)
    assert tally_pairs(found.assign(side="top"), planted, PROMPTS) == Tally(2, 2, 1)
    both = pd.concat([found.iloc[:1], pairs((7, "op2_range_0_10")).assign(side="top")])
    assert tally_pairs(both, planted, PROMPTS) == Tally(2, 1, 1)


def test_a_heuristic_counts_for_its_neuron_only():
    planted = pairs((7, "op1_value_3"), (8, "op2_value_3"))
    assert tally_pairs(pairs((8, "op1_value_3")), planted, PROMPTS) == Tally(2, 1, 0)


def test_a_neuron_with_any_heuristic_is_detected_once():
    planted = pairs((7, "op1_value_3"), (8, "op2_value_3"))
    found = pairs((8, "op1_value_3"), (8, "op1_value_4"), (9, "op1_value_4"))
    assert tally_neurons(found, planted) == Tally(2, 2, 1)


def test_counts_are_added_up_before_dividing():
    table = pd.DataFrame(
        [("a", 10, 5, 5), ("a", 30, 15, 5), ("b", 4, 0, 0)],
        columns=["rule", "n_planted", "n_found", "n_right"],
    )
    found = precision_recall(table, ["rule"]).set_index("rule")
    assert found.loc["a", "precision"] == pytest.approx(10 / 20)
    assert found.loc["a", "recall"] == pytest.approx(10 / 40)
    low, high = found.loc["a", ["recall_low", "recall_high"]]
    assert 0.14 < low < 0.25 < high < 0.41  # Wilson, 10 of 40: 0.142 to 0.402
    assert math.isnan(found.loc["b", "precision"])
    assert np.isnan(found.loc["b", ["precision_low", "precision_high"]].astype(float)).all()
    assert found.loc["b", "recall"] == 0
