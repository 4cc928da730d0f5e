"""How a model reads the arithmetic prompts: its number tokens and the few-shot examples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib import store
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import (
    draw_examples,
    few_shot_text,
    make_prompts,
    valid_prompts,
    without_examples,
)


def draw_context(
    tokens: NumberTokens,
    operators: list[str],
    *,
    min_operand: int,
    max_operand: int,
    few_shot: int,
    seed: int,
) -> dict[str, Any]:
    """Largest single-token number, and per operator the operands of its few-shot examples."""
    limits = {"min_operand": min_operand, "max_operand": max_operand}
    examples = {}
    for operator in operators:
        valid = valid_prompts(operator, **limits, max_number=tokens.max_number)
        chosen = draw_examples(valid, few_shot, generator(seed, "few_shot", operator))
        examples[operator] = chosen[["a", "b"]].to_numpy().tolist()
    return {"max_number": tokens.max_number, "examples": examples}


@dataclass(frozen=True)
class PromptContext:
    """Turns prompt tables into token ids, with each operator's few-shot examples in front."""

    tokens: NumberTokens
    examples: dict[str, pd.DataFrame]

    @classmethod
    def read(cls, path: str | Path, tokenizer: PreTrainedTokenizerBase) -> "PromptContext":
        """The context written by `draw_context`, for a model's tokenizer.

        Raises ArtifactError when the file cannot be read, TokenizerError when the tokenizer does
        not suit the study.
        """
        content, tokens = store.read_json(path), NumberTokens.measure(tokenizer)
        pairs = {
            name: np.array(rows, dtype=np.int64).reshape(-1, 2)
            for name, rows in content["examples"].items()
        }
        return cls(tokens, {op: make_prompts(op, *rows.T) for op, rows in pairs.items()})

    @property
    def answer_ids(self) -> Int64[np.ndarray, " number"]:
        """Token of every number 0..max_number."""
        return self.tokens.number_ids

    def encode(self, prompts: pd.DataFrame) -> Int64[Tensor, "prompt pos"]:
        """Token ids; the prompt's own tokens are the last four columns."""
        prefixes = {name: few_shot_text(table) for name, table in self.examples.items()}
        return self.tokens.encode(prompts, [prefixes[name] for name in prompts["operator"]])

    def asked(
        self, prompts: pd.DataFrame
    ) -> tuple[Int64[Tensor, "prompt pos"], Int64[Tensor, " prompt"]]:
        """Token ids of some prompts, and the tokens of their answers."""
        answers = self.answer_ids[prompts["answer"].to_numpy(dtype=np.int64)]
        return self.encode(prompts), torch.from_numpy(answers)

    def valid(self, operator: str, *, min_operand: int, max_operand: int) -> pd.DataFrame:
        """Every valid prompt of an operator that is not among its own examples."""
        prompts = valid_prompts(
            operator,
            min_operand=min_operand,
            max_operand=max_operand,
            max_number=self.tokens.max_number,
        )
        return without_examples(prompts, self.examples[operator])
