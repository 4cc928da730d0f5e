"""Ranking of heads, by hand."""

import numpy as np
import pytest

from pipeline_lib.circuits.ranking import Head, prompt_effects, rank_heads
from pipeline_lib.errors import ConfigError


def test_a_prompts_effect_is_the_mean_over_seeds_and_positions():
    one = np.array(
        [[[[1.0, 0.0]], [[3.0, 0.0]]]]
    )  # one prompt, two positions, one layer, two heads
    other = np.array([[[[5.0, 2.0]], [[7.0, np.nan]]]])
    assert prompt_effects([one, other]).tolist() == [[[4.0, 2 / 3]]]


def test_a_head_without_a_finite_effect_is_nan_and_ranks_last():
    effects = prompt_effects([np.array([[[[np.inf, -2.0]]]])])
    assert np.isnan(effects[0, 0, 0])
    assert rank_heads(effects[0], 2) == [Head(0, 1), Head(0, 0)]


def test_heads_rank_by_mean_and_ties_go_to_the_lower_one():
    mean = np.array([[0.1, 0.5, 0.5], [0.9, -1.0, 0.5]])
    assert [head.name for head in rank_heads(mean, 4)] == ["L1H0", "L0H1", "L0H2", "L1H2"]
    assert rank_heads(mean, 0) == []
    assert len(rank_heads(mean, 99)) == 6


def test_names_of_heads():
    assert Head.from_name("L15H3") == Head(15, 3)
    assert Head.from_name("L15H3").name == "L15H3"
    with pytest.raises(ConfigError, match="not the name of a head"):
        Head.from_name("15.3")
