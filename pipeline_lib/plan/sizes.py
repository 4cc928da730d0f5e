"""How many prompts and heuristics an operator has, and how long its tables are as text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from pipeline_lib.config import ArithmeticStudy
from pipeline_lib.heuristics.enumeration import enumerate_heuristics
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.stimuli.arithmetic import valid_prompts

PROMPT_TOKENS = 5  # BOS, a, operator, b, "="
EXAMPLE_TOKENS = 6  # a, operator, b, "=", answer, ";"


@dataclass(frozen=True)
class OperatorSizes:
    """Sizes of one operator's study, if every valid prompt is answered right."""

    operator: str
    n_valid: int
    n_discovery: int
    n_evaluation: int
    heuristic_names: tuple[str, ...]
    prompt_bytes: int | float
    """Mean length of ``operator,a,b,answer`` and the line's end."""
    labelled_bytes: int | float
    """Mean length of the same with the prediction and the label."""

    @property
    def n_heuristics(self) -> int:
        """Heuristics that are scored."""
        return len(self.heuristic_names)


def operator_sizes(study: ArithmeticStudy, operator: str, max_number: int) -> OperatorSizes:
    """Sizes of an operator's study on a tokenizer that writes 0..``max_number`` as one token."""
    prompts = study.prompts
    return _sizes(
        operator,
        prompts.min_operand,
        prompts.max_operand,
        max_number,
        prompts.few_shot,
        prompts.discovery,
        json.dumps(study.heuristics.types.model_dump(mode="json"), sort_keys=True),
    )


def n_tokens(study: ArithmeticStudy) -> int:
    """Tokens of a prompt with its solved examples."""
    return PROMPT_TOKENS + EXAMPLE_TOKENS * study.prompts.few_shot


@lru_cache(maxsize=256)
def _sizes(
    operator: str,
    min_operand: int,
    max_operand: int,
    max_number: int,
    few_shot: int,
    discovery: int,
    types: str,
) -> OperatorSizes:
    limits = {"min_operand": min_operand, "max_operand": max_operand, "max_number": max_number}
    prompts = valid_prompts(operator, **limits)
    n_valid = max(0, len(prompts) - few_shot)
    n_discovery = min(discovery, -(-n_valid // 2))
    row = len(operator) + _text_length(prompts, ("a", "b", "answer")) + 4
    return OperatorSizes(
        operator,
        n_valid,
        n_discovery,
        n_valid - n_discovery,
        _heuristic_names(operator, json.loads(types), prompts),
        prompt_bytes=row,
        labelled_bytes=row + _text_length(prompts, ("answer",)) + len(",,correct"),
    )


def _heuristic_names(
    operator: str, types: Mapping[str, Any], prompts: pd.DataFrame
) -> tuple[str, ...]:
    settings = HeuristicSettings.from_values(types)
    return tuple(found.name for found in enumerate_heuristics(operator, settings, prompts))


def _text_length(prompts: pd.DataFrame, columns: tuple[str, ...]) -> float:
    """Mean number of digits of the columns together."""
    if prompts.empty:
        return 0.0
    return float(sum(n_digits(prompts[name].to_numpy(np.int64)).mean() for name in columns))


def n_digits(numbers: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """Number of decimal digits of numbers from 0 to 10^9."""
    return 1 + sum((numbers >= 10**power).astype(np.int64) for power in range(1, 10))
