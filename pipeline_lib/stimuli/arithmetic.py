"""Prompts of the arithmetic study: which are valid, which are answered correctly, and their pairs.

A prompt table is a DataFrame with the columns ``operator`` (readable name), ``a``, ``b`` and
``answer`` (int64). Prompts are written ``f"{a}{symbol}{b}="`` (docs/definitions.md, section 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from pipeline_lib.errors import PromptError

PROMPT_COLUMNS = ["operator", "a", "b", "answer"]
POSITIONS = ("operand1", "operator", "operand2", "equals")

IntArray = Int[np.ndarray, "..."]


@dataclass(frozen=True)
class Operator:
    """One arithmetic operator: how it is written, what it computes, which operands are valid."""

    name: str
    symbol: str
    sign: str
    compute: Callable[[IntArray, IntArray], IntArray]
    is_valid: Callable[[IntArray, IntArray, int], Bool[np.ndarray, "..."]]


OPERATORS: dict[str, Operator] = {
    op.name: op
    for op in (
        Operator("add", "+", "+", lambda a, b: a + b, lambda a, b, top: a + b <= top),
        Operator("sub", "-", "−", lambda a, b: a - b, lambda a, b, top: a >= b),
        Operator("mul", "*", "×", lambda a, b: a * b, lambda a, b, top: a * b <= top),
        Operator("div", "/", "÷", lambda a, b: a // np.maximum(b, 1), lambda a, b, top: b >= 1),
    )
}


def make_prompts(operator: str, a: IntArray, b: IntArray) -> pd.DataFrame:
    """Prompt table for operands ``a`` and ``b`` (int [prompt]), in the order given."""
    a, b = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    answer = OPERATORS[operator].compute(a, b)
    return pd.DataFrame({"operator": operator, "a": a, "b": b, "answer": answer})


def valid_prompts(
    operator: str, *, min_operand: int, max_operand: int, max_number: int
) -> pd.DataFrame:
    """Every valid prompt with operands in [min_operand, max_operand), ordered by (a, b).

    ``max_number`` is the largest number the model writes as one token; operands and answers must
    not pass it. Division starts at operand 1 (definitions 1).
    """
    low = max(min_operand, 1) if operator == "div" else min_operand
    operands = np.arange(low, min(max_operand, max_number + 1), dtype=np.int64)
    a, b = (grid.ravel() for grid in np.meshgrid(operands, operands, indexing="ij"))
    keep = OPERATORS[operator].is_valid(a, b, max_number)
    return make_prompts(operator, a[keep], b[keep])


def every_prompt(operators: Sequence[str], *, max_operand: int, max_number: int) -> pd.DataFrame:
    """All pairs of operands in [0, max_operand) for every operator, valid or not (definitions 5).

    Operands the model does not write as one token (above ``max_number``) are left out. The answer
    of a prompt that is not valid means nothing.
    """
    operands = np.arange(min(max_operand, max_number + 1), dtype=np.int64)
    a, b = (grid.ravel() for grid in np.meshgrid(operands, operands, indexing="ij"))
    return pd.concat([make_prompts(op, a, b) for op in operators], ignore_index=True)


def prompt_text(prompts: pd.DataFrame) -> list[str]:
    """The prompts as the model reads them, without spaces."""
    symbols = prompts["operator"].map(lambda name: OPERATORS[name].symbol)
    return [f"{a}{s}{b}=" for a, s, b in zip(prompts["a"], symbols, prompts["b"], strict=True)]


LABELS = ("correct", "incorrect", "not_a_number")


def label_prompts(prompts: pd.DataFrame, predicted: Int[np.ndarray, " prompt"]) -> pd.DataFrame:
    """Add the columns ``predicted`` and ``label`` to a prompt table.

    ``predicted`` is the number the model writes, -1 where its most likely token is not a number.
    Labels: correct, incorrect (another number), not_a_number.
    """
    wrong = np.where(predicted < 0, "not_a_number", "incorrect")
    label = np.where(predicted == prompts["answer"].to_numpy(), "correct", wrong)
    return prompts.assign(predicted=predicted, label=label)


def split_correct(
    labelled: pd.DataFrame, n_discovery: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the correct prompts into a random discovery set and the rest, the evaluation set.

    The two never overlap. With fewer than ``2 * n_discovery`` correct prompts the discovery set
    takes half of them (rounded up), so that some are left to evaluate on.
    """
    correct = labelled.loc[labelled["label"] == "correct", PROMPT_COLUMNS]
    n = min(n_discovery, -(-len(correct) // 2))
    order = rng.permutation(len(correct))
    return correct.iloc[order[:n]], correct.iloc[np.sort(order[n:])]


def some_prompts(prompts: pd.DataFrame, n_prompts: int, rng: np.random.Generator) -> pd.DataFrame:
    """Up to ``n_prompts`` rows of a prompt table, drawn without replacement."""
    return prompts.iloc[rng.permutation(len(prompts))[:n_prompts]].reset_index(drop=True)


def join_pools(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several prompt or pair tables, one after the other; an empty one adds nothing.

    Raises PromptError when all are empty: no operator has a correct prompt.
    """
    filled = [table for table in tables if len(table)]
    if not tables or not filled:
        raise PromptError(
            "no operator has a correct prompt, so there is nothing to analyse",
            hint="See label in data/arithmetic/<model>/prompts/<operator>/labelled.csv: the model "
            "answers every prompt wrongly. Choose another model or smaller operands.",
        )
    return pd.concat(filled, ignore_index=True)


def draw_counterfactuals(
    clean: pd.DataFrame, pool: pd.DataFrame, rule: str, rng: np.random.Generator
) -> pd.DataFrame:
    """One counterfactual prompt from ``pool`` for every clean prompt, in its row order.

    ``rule`` is "different_answer" (the paper: r' differs from r) or "any" (the authors' code).
    Raises PromptError when the pool holds no prompt with another answer.
    """
    pool = pool[PROMPT_COLUMNS]
    if not len(clean):
        return pool.iloc[:0]
    answers = pool["answer"].to_numpy()
    picks = np.empty(len(clean), dtype=np.int64)
    for row, answer in enumerate(clean["answer"].to_numpy()):
        allowed = np.flatnonzero(answers != answer) if rule == "different_answer" else None
        if allowed is not None and not len(allowed):
            raise PromptError(
                "no counterfactual with another answer exists",
                where=f"operator {clean['operator'].iloc[row]}",
                value=f"every discovery prompt has the answer {answer}",
                hint="Raise prompts.discovery or add operators.",
            )
        picks[row] = rng.integers(len(pool)) if allowed is None else rng.choice(allowed)
    return pool.iloc[picks]


def pair_table(clean: pd.DataFrame, counterfactual: pd.DataFrame) -> pd.DataFrame:
    """Clean prompts beside their counterfactuals, whose columns get the prefix ``cf_``."""
    right = counterfactual[PROMPT_COLUMNS].add_prefix("cf_").reset_index(drop=True)
    return pd.concat([clean[PROMPT_COLUMNS].reset_index(drop=True), right], axis=1)


def counterfactual_prompts(pairs: pd.DataFrame) -> pd.DataFrame:
    """The counterfactual side of a pair table as a prompt table."""
    return pairs[[f"cf_{name}" for name in PROMPT_COLUMNS]].set_axis(PROMPT_COLUMNS, axis=1)


def draw_examples(valid: pd.DataFrame, n_examples: int, rng: np.random.Generator) -> pd.DataFrame:
    """Prompts of one operator to stand, solved, before every prompt (few-shot; definitions 1)."""
    return valid.iloc[rng.choice(len(valid), size=min(n_examples, len(valid)), replace=False)]


def few_shot_text(examples: pd.DataFrame) -> str:
    """The examples as the model reads them: ``13+27=40;`` each, empty for none."""
    texts, answers = prompt_text(examples), examples["answer"]
    return "".join(f"{text}{answer};" for text, answer in zip(texts, answers, strict=True))


def without_examples(prompts: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """The prompts that are not among the examples: a prompt never sees its own solution."""
    shown = set(prompt_text(examples))
    unseen = np.array([text not in shown for text in prompt_text(prompts)], dtype=bool)
    return prompts.loc[unseen].reset_index(drop=True)
