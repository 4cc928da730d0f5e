"""Training data of the built-in arithmetic model: every valid prompt, split and weighted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from pipeline_lib.errors import TokenizerError
from pipeline_lib.models.training.settings import TrainingSettings
from pipeline_lib.models.training.tokenizer import UNK
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS, prompt_text, valid_prompts

PROMPT_LENGTH = 5
COMMUTATIVE = ("add", "mul")
SKEWED_ANSWERS = ("div",)


@dataclass(frozen=True)
class ArithmeticData:
    """All valid prompts, which of them are held out, and their token ids.

    ``prompts`` has the columns of a prompt table and the boolean column ``held_out``; rows of
    ``tokens`` [prompt, 5] and ``answers`` [prompt] (token ids, int64) are in the same order.
    """

    prompts: pd.DataFrame
    tokens: Int[Tensor, "prompt pos"]
    answers: Int[Tensor, " prompt"]


def held_out_mask(
    prompts: pd.DataFrame, fraction: float, rng: np.random.Generator
) -> Bool[np.ndarray, " prompt"]:
    """Mask of held-out prompts of ONE operator: a share ``fraction`` of its problems.

    For add and mul, a op b and b op a are one problem and stay together: a split of single
    prompts would leak the answer of a held-out prompt through its swapped twin.
    """
    a, b = prompts["a"].to_numpy(), prompts["b"].to_numpy()
    if len(prompts) and prompts["operator"].iloc[0] in COMMUTATIVE:
        a, b = np.minimum(a, b), np.maximum(a, b)
    width = int(b.max(initial=0)) + 1
    _, problem = np.unique(a * width + b, return_inverse=True)
    n_problems = int(problem.max(initial=-1)) + 1
    held_out = np.zeros(n_problems, dtype=bool)
    held_out[rng.permutation(n_problems)[: round(fraction * n_problems)]] = True
    return held_out[problem]


def split_prompts(settings: TrainingSettings) -> pd.DataFrame:
    """Every valid prompt of the four operators, with the boolean column ``held_out``."""
    tables = []
    for operator in OPERATORS:
        prompts = valid_prompts(
            operator,
            min_operand=0,
            max_operand=settings.max_operand,
            max_number=settings.max_number,
        )
        rng = generator(settings.seed, "train_tiny_arith", "held_out", operator)
        held_out = held_out_mask(prompts, settings.held_out_fraction, rng)
        tables.append(prompts.assign(held_out=held_out))
    return pd.concat(tables, ignore_index=True)


def encode(prompts: pd.DataFrame, tokenizer: PreTrainedTokenizerBase) -> ArithmeticData:
    """Token ids of the prompt texts and of their answers.

    Raises TokenizerError where a prompt is not BOS and four known tokens, or its answer not one.
    """
    rows = tokenizer(prompt_text(prompts))["input_ids"]
    vocab: dict[str, int] = tokenizer.get_vocab()
    unknown = vocab[UNK]
    answers = [vocab.get(str(answer), unknown) for answer in prompts["answer"]]
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        if len(row) != PROMPT_LENGTH or unknown in (*row, answer):
            raise TokenizerError(
                "A prompt is not BOS, operand, operator, operand, '=' with an answer of one token.",
                where=prompt_text(prompts.iloc[[number]])[0],
                value=tokenizer.convert_ids_to_tokens([*row, answer]),
                hint="Build the tokenizer with a max_number that covers operands and answers.",
            )
    return ArithmeticData(prompts, torch.tensor(rows), torch.tensor(answers))


def draw_weights(prompts: pd.DataFrame, exponent: float) -> Float[np.ndarray, " prompt"]:
    """Probability of each prompt of ONE operator to be drawn for a batch; they sum to 1.

    Uniform, except for division, where half of the answers are 0: a prompt weighs
    count(prompts with its answer) ** exponent.
    """
    weights = np.ones(len(prompts))
    if len(prompts) and prompts["operator"].iloc[0] in SKEWED_ANSWERS:
        answers = prompts["answer"].to_numpy()
        weights = np.bincount(answers)[answers].astype(float) ** exponent
    return weights / weights.sum()


def batches(
    data: ArithmeticData, settings: TrainingSettings
) -> Iterator[tuple[Int[Tensor, "prompt pos"], Int[Tensor, " prompt"]]]:
    """Tokens and answers of ``settings.steps`` batches of training prompts.

    Each holds the same number of prompts of every operator, drawn with replacement.
    """
    training = data.prompts[~data.prompts["held_out"]]
    pools = []
    for operator, prompts in training.groupby("operator", sort=False):
        rng = generator(settings.seed, "train_tiny_arith", "batches", str(operator))
        cumulative = draw_weights(prompts, settings.answer_exponent).cumsum()
        pools.append((rng, prompts.index.to_numpy(), cumulative / cumulative[-1]))
    for _ in range(settings.steps):
        drawn = [
            rows[np.searchsorted(cumulative, rng.random(settings.batch_per_operator), "right")]
            for rng, rows, cumulative in pools
        ]
        batch = torch.from_numpy(np.concatenate(drawn))
        yield data.tokens[batch], data.answers[batch]
