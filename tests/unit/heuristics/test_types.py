import pandas as pd
import pytest

from pipeline_lib.errors import ConfigError
from pipeline_lib.heuristics import (
    DigitPattern,
    ExactValue,
    Heuristic,
    Modulo,
    MultiValue,
    Range,
    SameOperands,
    association_matrix,
)

PROMPTS = pd.DataFrame(
    {"a": [7, 10, 20, 120, 3], "b": [2, 10, 9, 23, 20], "answer": [3, 1, 2, 5, 0]}
)

MEMBERS = [
    (Range("op1", 7, 20), [0, 1], "op1_range_7_20", "operand 1 in [7, 20)"),
    (Range("op2", 20, 30), [3, 4], "op2_range_20_30", "operand 2 in [20, 30)"),
    (Range("both", 9, 21), [1, 2], "both_range_9_21", "both operands in [9, 21)"),
    (Range("result", 0, 2), [1, 4], "result_range_0_2", "result in [0, 2)"),
    (Modulo("op1", 10, 0), [1, 2, 3], "op1_mod_10_0", "operand 1 ≡ 0 (mod 10)"),
    (Modulo("both", 5, 0), [1], "both_mod_5_0", "both operands ≡ 0 (mod 5)"),
    (Modulo("result", 2, 1), [0, 1, 3], "result_mod_2_1", "result ≡ 1 (mod 2)"),
    (DigitPattern("op1", ".2."), [2, 3], "op1_pattern_x2x", "operand 1 has digits .2."),
    (DigitPattern("op2", "..3"), [3], "op2_pattern_xx3", "operand 2 has digits ..3"),
    (DigitPattern("op1", "1.0"), [3], "op1_pattern_1x0", "operand 1 has digits 1.0"),
    (ExactValue("op2", 20), [4], "op2_value_20", "operand 2 = 20"),
    (ExactValue("result", 3), [0], "result_value_3", "result = 3"),
    (SameOperands(), [1], "pair_same", "operand 1 = operand 2"),
    (MultiValue("result", (0, 3)), [0, 4], "result_values_0_3", "result in {0, 3}"),
]


@pytest.mark.parametrize(("heuristic", "members", "name", "label"), MEMBERS)
def test_membership_name_and_label(heuristic, members, name, label):
    assert [i for i, member in enumerate(heuristic.members(PROMPTS)) if member] == members
    assert heuristic.name == name
    assert heuristic.label == label


@pytest.mark.parametrize("name", [name for _, _, name, _ in MEMBERS])
def test_names_round_trip(name):
    assert Heuristic.from_name(name).name == name
    assert Heuristic.from_name(name) == next(h for h, _, n, _ in MEMBERS if n == name)


@pytest.mark.parametrize(
    "name", ["op3_range_0_10", "op1_region_0_10", "result_pattern_12", "", "op1"]
)
def test_a_name_no_type_writes_is_refused(name):
    with pytest.raises(ConfigError, match="No heuristic has this name"):
        Heuristic.from_name(name)


def test_range_ends_are_half_open_and_quotients_are_integers():
    """The authors' association closes ranges at the end and divides truly (documented defect 4)."""
    prompts = pd.DataFrame({"a": [7, 20, 19], "b": [2, 1, 1], "answer": [3, 20, 19]})
    assert ExactValue("result", 3).members(prompts).tolist() == [True, False, False]
    assert Range("op1", 10, 20).members(prompts).tolist() == [False, False, True]


def test_numbers_above_999_show_no_three_digit_pattern():
    prompts = pd.DataFrame({"a": [1023, 23], "b": [0, 0], "answer": [1023, 23]})
    assert DigitPattern("op1", ".23").members(prompts).tolist() == [False, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range("pair", 0, 1), "cannot apply"),
        (lambda: MultiValue("op1", (1, 2)), "cannot apply"),
        (lambda: DigitPattern("both", ".2."), "cannot apply"),
        (lambda: DigitPattern("op1", "2."), "three places"),
    ],
)
def test_impossible_heuristics_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_association_matrix_uses_the_same_membership():
    heuristics = [heuristic for heuristic, *_ in MEMBERS]
    matrix = association_matrix(heuristics, PROMPTS)
    assert matrix.shape == (len(MEMBERS), 5)
    for row, (heuristic, *_) in zip(matrix, MEMBERS, strict=True):
        assert (row == heuristic.members(PROMPTS)).all()


def test_association_matrix_of_nothing():
    assert association_matrix([], PROMPTS).shape == (0, 5)
    assert association_matrix([SameOperands()], PROMPTS.iloc[:0]).shape == (1, 0)
