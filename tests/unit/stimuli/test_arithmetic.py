"""Prompts: validity, labels, splits and counterfactuals, by hand."""

import numpy as np
import pytest

from pipeline_lib.errors import PromptError
from pipeline_lib.rng import generator
from pipeline_lib.stimuli import arithmetic as study

LIMITS = {"min_operand": 0, "max_operand": 4, "max_number": 5}


def pairs(operator, **changes):
    table = study.valid_prompts(operator, **(LIMITS | changes))
    return list(zip(table["a"], table["b"], table["answer"], strict=True))


def test_valid_additions_end_at_the_largest_number():
    assert (2, 3, 5) in pairs("add")
    assert (3, 3, 6) not in pairs("add")
    assert len(pairs("add")) == 15


def test_valid_subtractions_are_not_negative():
    assert pairs("sub") == [(a, b, a - b) for a in range(4) for b in range(a + 1)]


def test_valid_multiplications_end_at_the_largest_number():
    assert (1, 3, 3) in pairs("mul")
    assert (2, 3, 6) not in pairs("mul")


def test_division_is_integer_division_and_starts_at_one():
    assert pairs("div") == [(a, b, a // b) for a in range(1, 4) for b in range(1, 4)]


def test_operands_never_pass_the_largest_number():
    assert max(a for a, _, _ in pairs("sub", max_operand=100)) == 5


def test_counts_of_the_paper_size():
    sizes = {
        name: len(study.valid_prompts(name, min_operand=0, max_operand=300, max_number=999))
        for name in study.OPERATORS
    }
    assert sizes == {"add": 90_000, "sub": 45_150, "mul": 5_784, "div": 89_401}


def test_prompts_are_written_without_spaces():
    table = study.make_prompts("div", np.array([12]), np.array([5]))
    assert study.prompt_text(table) == ["12/5="]
    assert table["answer"].tolist() == [2]


def labelled(n=10):
    prompts = study.make_prompts("add", np.arange(n), np.ones(n, dtype=np.int64))
    predicted = prompts["answer"].to_numpy().copy()
    predicted[0], predicted[1] = -1, 77
    return study.label_prompts(prompts, predicted)


def test_labels():
    assert labelled()["label"].tolist() == ["not_a_number", "incorrect"] + ["correct"] * 8


def test_discovery_and_evaluation_never_overlap_and_hold_only_correct_prompts():
    discovery, evaluation = study.split_correct(labelled(), 3, generator(1, "split"))
    assert len(discovery) == 3
    assert sorted([*discovery["a"], *evaluation["a"]]) == list(range(2, 10))


def test_few_correct_prompts_are_shared_between_the_two_sets():
    discovery, evaluation = study.split_correct(labelled(5), 100, generator(1, "split"))
    assert (len(discovery), len(evaluation)) == (2, 1)
    nothing = labelled(2)
    assert [len(part) for part in study.split_correct(nothing, 9, generator(1, "split"))] == [0, 0]


def test_counterfactuals_have_another_answer_unless_any_is_allowed():
    clean = study.make_prompts("add", np.full(200, 1), np.full(200, 1))
    pool = study.make_prompts("add", np.array([1, 2, 0]), np.array([1, 2, 2]))
    strict = study.draw_counterfactuals(clean, pool, "different_answer", generator(3, "cf"))
    assert set(strict["answer"]) == {4}
    free = study.draw_counterfactuals(clean, pool, "any", generator(3, "cf"))
    assert set(free["answer"]) == {2, 4}


def test_counterfactuals_come_from_all_operators():
    clean = study.make_prompts("add", np.arange(50), np.arange(50))
    pool = study.pd.concat([clean, study.make_prompts("div", np.arange(50), np.full(50, 7))])
    drawn = study.draw_counterfactuals(clean, pool, "different_answer", generator(3, "cf"))
    assert set(drawn["operator"]) == {"add", "div"}
    table = study.pair_table(clean, drawn)
    assert (table["answer"] != table["cf_answer"]).all()
    back = study.counterfactual_prompts(table)
    assert back["a"].tolist() == drawn["a"].tolist()


def test_no_possible_counterfactual_is_an_error():
    clean = study.make_prompts("add", np.array([1]), np.array([1]))
    with pytest.raises(PromptError, match=r"another answer[\s\S]*add"):
        study.draw_counterfactuals(clean, clean, "different_answer", generator(1, "cf"))


def test_a_prompt_never_sees_its_own_solution():
    valid = study.valid_prompts("add", **LIMITS)
    examples = study.draw_examples(valid, 2, generator(5, "few_shot"))
    text = study.few_shot_text(examples)
    assert text.count(";") == 2
    rest = study.without_examples(valid, examples)
    assert len(rest) == len(valid) - 2
    assert not any(f"{prompt}" in text for prompt in study.prompt_text(rest))


def test_no_valid_prompts_stay_a_prompt_table():
    empty = study.valid_prompts("mul", min_operand=3, max_operand=9, max_number=5)
    left = study.without_examples(empty, empty)
    assert len(left) == 0
    assert list(left.columns) == study.PROMPT_COLUMNS


def test_draws_depend_on_seed_and_purpose_only():
    draw = [generator(*key).integers(10**9) for key in ((1, "a"), (1, "a"), (2, "a"), (1, "b"))]
    assert draw[0] == draw[1]
    assert len(set(draw)) == 3


def test_every_prompt_holds_those_that_are_not_valid_too():
    prompts = study.every_prompt(["sub", "div"], max_operand=3, max_number=999)
    assert len(prompts) == 2 * 9
    assert set(zip(prompts["a"], prompts["b"], strict=True)) == {
        (a, b) for a in range(3) for b in range(3)
    }
    assert prompts["operator"].value_counts().to_dict() == {"sub": 9, "div": 9}
    # operands that are not one token are left out
    assert study.every_prompt(["add"], max_operand=300, max_number=4)["a"].max() == 4


def test_some_prompts_are_drawn_without_replacement():
    prompts = study.valid_prompts("sub", min_operand=0, max_operand=5, max_number=99)
    drawn = study.some_prompts(prompts, 7, np.random.default_rng(3))
    assert len(drawn.drop_duplicates()) == 7
    assert drawn.index.tolist() == list(range(7))
    every = study.some_prompts(prompts, 1000, np.random.default_rng(3))
    assert every.sort_values(["a", "b"], ignore_index=True).equals(prompts)
