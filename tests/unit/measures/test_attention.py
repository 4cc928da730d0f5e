import numpy as np
import pytest

from pipeline_lib.circuits.ranking import Head
from pipeline_lib.measures.attention import SOURCES, collapse_sources, mean_patterns


def test_everything_before_the_prompt_is_one_source():
    pattern = np.array([[0.1, 0.2, 0.3, 0.15, 0.05, 0.2]])
    assert collapse_sources(pattern)[0].tolist() == pytest.approx([0.3, 0.3, 0.15, 0.05, 0.2])
    # without few-shot examples BOS stands there alone
    assert np.array_equal(collapse_sources(pattern[:, 1:]), pattern[:, 1:])


def test_means_of_two_prompts_by_hand():
    patterns = np.zeros((2, 2, 3, 5, 5), dtype=np.float32)
    patterns[0, 1, 2, 4, 1], patterns[1, 1, 2, 4, 1] = 0.2, 0.6
    patterns[:, 0, 1, 2, 3] = 0.5
    heads = [Head(1, 2), Head(0, 1)]
    table = mean_patterns(patterns, heads, np.random.default_rng(0))
    assert len(table) == 2 * 25
    assert table["layer"].tolist()[::25] == [1, 0]
    rows = table.set_index(["layer", "head", "query", "source"])
    found = rows.loc[(1, 2, "equals", "operand1")]
    assert found["mean"] == pytest.approx(0.4)
    assert (found["low"], found["high"]) == pytest.approx((0.2, 0.6))
    equal = rows.loc[(0, 1, SOURCES[2], SOURCES[3])]
    assert (equal["low"], equal["mean"], equal["high"]) == pytest.approx((0.5, 0.5, 0.5))
    assert rows["mean"].sum() == pytest.approx(0.9)
    assert set(table["n_prompts"]) == {2}


def test_no_prompts_and_no_heads():
    none = np.zeros((0, 1, 1, 5, 5), dtype=np.float32)
    assert mean_patterns(none, [Head(0, 0)], np.random.default_rng(0)).empty
    assert mean_patterns(np.ones((1, 1, 1, 5, 5)), [], np.random.default_rng(0)).empty
