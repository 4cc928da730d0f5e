"""Which part of the operand plane is drawn, and the means in its cells."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.figures.planes import Frame, cell_means, choose_frame, picture
from pipeline_lib.heuristics import Heuristic
from pipeline_lib.stimuli.arithmetic import valid_prompts


def _prompts(operator):
    return valid_prompts(operator, min_operand=0, max_operand=300, max_number=999)


@pytest.mark.parametrize(
    ("operator", "name", "expected"),
    [
        ("add", "op1_range_50_150", Frame(0, 0, 100, 3)),
        ("div", "result_values_1_2", Frame(0, 0, 100, 3)),
        ("add", "op1_mod_2_1", Frame(0, 0, 100, 1)),
        ("add", "op1_value_250", Frame(200, 0, 100, 1)),
        ("mul", "op1_range_0_10", Frame(0, 0, 100, 1)),  # only 6 % of the plane is valid
    ],
)
def test_smooth_heuristics_are_binned_and_fine_ones_are_not(operator, name, expected):
    assert choose_frame(Heuristic.from_name(name), _prompts(operator)) == expected


def test_a_window_has_as_many_prompts_of_the_heuristic_as_possible():
    prompts = _prompts("sub")
    frame = choose_frame(Heuristic.from_name("result_mod_7_1"), prompts)
    assert (frame.cells, frame.step) == (100, 1)
    # windows on the diagonal are only half valid
    assert frame.holds(prompts["a"].to_numpy(), prompts["b"].to_numpy()).sum() == 10_000


def test_a_window_holds_the_marked_prompt():
    frame = choose_frame(Heuristic.from_name("op1_mod_2_0"), _prompts("sub"), inside=(226, 68))
    assert frame == Frame(200, 0, 100, 1)


def test_few_operands_are_drawn_whole():
    prompts = valid_prompts("add", min_operand=0, max_operand=12, max_number=99)
    assert choose_frame(Heuristic.from_name("op1_range_0_10"), prompts) == Frame(0, 0, 12, 1)


def test_a_cell_is_the_mean_of_its_prompts():
    prompts = pd.DataFrame({"a": [0, 1, 2, 3, 9], "b": [0, 1, 0, 2, 9]})
    cells = cell_means(prompts, np.array([1.0, 2.0, 5.0, 7.0, 100.0]), Frame(0, 0, 2, 2))
    assert cells.values.tolist() == [[0, 0, 1.5], [2, 0, 5.0], [2, 2, 7.0]]
    image = picture(cells, Frame(0, 0, 2, 2))
    assert image[0].tolist() == [1.5, 5.0]  # rows are operand 2
    assert np.isnan(image[1, 0])
    assert image[1, 1] == 7.0
