import numpy as np
import pytest

from pipeline_lib.errors import ConfigError
from pipeline_lib.heuristics import (
    AUTHORS,
    PAPER,
    ExactValue,
    Heuristic,
    HeuristicIndex,
    HeuristicSettings,
    Modulo,
    Range,
    RangeRule,
    enumerate_heuristics,
)
from pipeline_lib.stimuli.arithmetic import OPERATORS, valid_prompts

PAPER_SETTINGS = HeuristicSettings.from_values(PAPER)
AUTHORS_SETTINGS = HeuristicSettings.from_values(AUTHORS)


def prompts(operator, max_operand=100, max_number=999):
    return valid_prompts(operator, min_operand=0, max_operand=max_operand, max_number=max_number)


def index(operator, settings, max_operand=100):
    table = prompts(operator, max_operand)
    return HeuristicIndex.build(operator, settings, table, max_operand=max_operand, max_number=999)


def k_of(operator, name, max_operand=100, settings=AUTHORS_SETTINGS):
    made = index(operator, settings, max_operand)
    return int(made.k[made.names.index(name)])


def ranges(operator, target, settings, length):
    found = enumerate_heuristics(operator, settings, prompts(operator))
    chosen = [h for h in found if isinstance(h, Range) and h.target == target]
    return [h.start for h in chosen if h.stop - h.start == length]


def test_paper_is_the_default():
    assert HeuristicSettings() == PAPER_SETTINGS


def test_range_starts():
    assert ranges("add", "op1", PAPER_SETTINGS, 30) == list(range(0, 100, 10))
    assert ranges("add", "op1", PAPER_SETTINGS, 50) == [0, 16, 32, 48, 64, 80, 96]
    assert ranges("add", "op1", AUTHORS_SETTINGS, 30) == [0, 30, 60, 90]
    assert ranges("mul", "op2", AUTHORS_SETTINGS, 3) == list(range(0, 100, 3))
    assert ranges("div", "result", PAPER_SETTINGS, 100) == [0, 33, 66, 99]
    assert ranges("div", "result", AUTHORS_SETTINGS, 100) == [33, 66, 99]
    assert ranges("div", "result", PAPER_SETTINGS, 2) == list(range(0, 100, 10))


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("settings", [PAPER_SETTINGS, AUTHORS_SETTINGS])
def test_every_heuristic_holds_for_a_prompt_and_has_its_own_name(operator, settings):
    made = index(operator, settings)
    assert len(set(made.names)) == len(made.names)
    assert [Heuristic.from_name(name) for name in made.names] == list(made.heuristics)
    sizes = [int(h.members(made.prompts).sum()) for h in made.heuristics]
    assert made.size.tolist() == sizes
    assert min(sizes) > 0


def test_number_of_paper_heuristics_for_small_additions():
    found = enumerate_heuristics("add", PAPER_SETTINGS, prompts("add", max_operand=10))
    kinds = [(h.type_name, h.target) for h in found]
    # operands 0..9: one start (0) for four lengths; n - 1 remainders of 11, 13, 15 are too large
    assert kinds.count(("range", "op1")) == 4
    assert kinds.count(("modulo", "op1")) == sum(range(2, 10)) + 3 * 10
    assert kinds.count(("value", "op1")) == 10
    assert kinds.count(("value", "result")) == 19
    # .0. | ..0 to ..9 | .00 to .09 | 0.0 to 0.9
    assert kinds.count(("pattern", "op2")) == 1 + 10 + 10 + 10
    assert kinds.count(("same_operands", "pair")) == 1


def test_the_quotient_has_neither_moduli_nor_patterns():
    found = enumerate_heuristics("div", PAPER_SETTINGS, prompts("div"))
    assert {h.type_name for h in found if h.target == "result"} == {"range", "value"}


def test_degenerate_heuristics_are_flagged_and_not_dropped():
    """With operands below 100, [0, 100) holds for every prompt (documented defect 12)."""
    table = index("add", PAPER_SETTINGS).table().set_index("heuristic")
    assert table.loc["op1_range_0_100", "base_rate"] == 1
    degenerate = table.index[table["degenerate"]].tolist()
    assert degenerate == ["op1_range_0_100", "op2_range_0_100", "both_range_0_100"]
    strict = index("mul", PAPER_SETTINGS).table(max_base_rate=0.7).set_index("heuristic")
    # even results: 2568 of the 3390 valid products
    assert strict.loc["result_mod_2_0", "base_rate"] == pytest.approx(2568 / 3390)
    assert strict.loc["result_mod_2_0", "degenerate"]
    assert not strict.loc["result_mod_2_1", "degenerate"]


@pytest.mark.parametrize(
    ("operator", "name", "size"),
    [
        # int((max // n) * max * f)
        ("add", "op1_mod_3_0", 33 * 100),
        ("sub", "op2_mod_2_1", int(50 * 100 * 0.505)),
        ("mul", "op1_mod_7_0", int(14 * 100 * 0.339)),
        # both operands and result: (max // n)^2 * f, results of mul capped at max
        ("add", "both_mod_3_0", 33**2),
        ("add", "result_mod_9_4", 11**2),
        ("mul", "result_mod_2_0", 100),
        ("mul", "result_mod_10_0", int(10**2 * 0.339)),
        # ranges are exact, except the cap
        ("sub", "op2_range_0_10", 955),
        ("mul", "result_range_0_10", 100),
        ("mul", "op1_range_0_3", 300),
        # patterns and exact values: the top max * f
        ("add", "result_pattern_x2x", 100),
        ("sub", "op1_value_3", 50),
        ("div", "result_value_0", 98),
        ("mul", "pair_same", 31),
        ("div", "pair_same", 100),
    ],
)
def test_formula_sizes(operator, name, size):
    assert k_of(operator, name) == size


def test_formula_sizes_are_far_from_the_exact_ones():
    """Result modulo 9 at operands below 300: 1089 instead of 10000 (documented defect 2)."""
    made = index("add", AUTHORS_SETTINGS, max_operand=300)
    row = made.names.index("result_mod_9_4")
    assert made.k[row] == 1089
    assert made.size[row] == 10000
    assert k_of("sub", "op2_range_0_10", max_operand=300, settings=PAPER_SETTINGS) == 2955
    assert k_of("sub", "op1_range_0_10", max_operand=300, settings=PAPER_SETTINGS) == 55


def test_heuristics_with_the_same_prompts_name_the_one_that_stands_for_them():
    made = index("sub", PAPER_SETTINGS, max_operand=30)
    table = made.table().set_index("heuristic")
    # the results of a >= b below 30 that are 29: one prompt, 29 - 0
    assert table.loc["result_pattern_x29", "equal_to"] == "result_value_29"
    assert table.loc["pair_same", "equal_to"] == "result_value_0"
    assert table.loc["op1_range_20_50", "equal_to"] == table.loc["op1_range_20_30", "equal_to"]
    assert table.loc["op1_mod_2_1", "equal_to"] == "op1_mod_2_1"


def test_no_prompts_give_no_heuristics():
    made = index("add", PAPER_SETTINGS, max_operand=1).prompts.iloc[:0]
    assert enumerate_heuristics("add", PAPER_SETTINGS, made) == []
    empty = HeuristicIndex.build("add", PAPER_SETTINGS, made, max_operand=300, max_number=999)
    assert empty.table().shape == (0, 9)


def test_settings_refuse_unknown_keys():
    with pytest.raises(ConfigError, match="Unknown heuristic settings"):
        HeuristicSettings.from_values({"modulos": [2]})


def test_settings_from_plain_values():
    made = HeuristicSettings.from_values(
        {"moduli": [4], "operand_ranges": {"default": {"lengths": [7], "step": "length"}}}
    )
    assert made.moduli == (4,)
    assert made.operand_ranges == {"default": RangeRule((7,), "length")}
    found = enumerate_heuristics("add", made, prompts("add", max_operand=8))
    assert [h for h in found if h.target == "op1" and isinstance(h, Range | Modulo)] == [
        Range("op1", 0, 7),
        Range("op1", 7, 14),
        *(Modulo("op1", 4, m) for m in range(4)),
    ]
    assert ExactValue("op1", 7) in found


def test_base_rate_of_moduli_sums_to_one():
    made = index("sub", PAPER_SETTINGS)
    rows = [i for i, name in enumerate(made.names) if name.startswith("op2_mod_7_")]
    assert np.isclose(made.base_rate[rows].sum(), 1)
