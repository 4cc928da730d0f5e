"""A model's self-test on disk: the pair tables it reads, and one JSON file with every check."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib import store
from pipeline_lib.artifacts.answers import answer_tokens
from pipeline_lib.artifacts.effects import columns_of
from pipeline_lib.interventions.capture import resolve_positions
from pipeline_lib.stimuli.arithmetic import POSITIONS, counterfactual_prompts
from pipeline_lib.stimuli.context import PromptContext
from pipeline_lib.verification.checks import Check
from pipeline_lib.verification.sample import PromptPairs


def read_pairs(paths: Sequence[str], context: PromptContext, n_prompts: int) -> PromptPairs:
    """The first ``n_prompts`` pairs of each table, as tokens; PromptError when there are none."""
    tables = [store.read_table(path).head(n_prompts) for path in paths]
    full = [table for table in tables if len(table)] or tables[:1]
    pairs = pd.concat(full, ignore_index=True)
    tokens = context.encode(pairs)
    return PromptPairs(
        tokens,
        context.encode(counterfactual_prompts(pairs)),
        *answer_tokens(context.answer_ids, pairs),
        resolve_positions(columns_of(POSITIONS), tokens.shape[1]),
    )


def write_checks(path: str | Path, checks: Sequence[Check], provenance: Mapping[str, Any]) -> None:
    """Store every check in the order given, and the model's noise floor (difference of logits).

    Keys: ``checks`` (a list, one object a check), ``noise_floor``, ``provenance``.
    """
    noise = next(check for check in checks if check.status == "measured")
    content = {
        "noise_floor": {"logits": noise.max_abs_difference, "relative": noise.max_rel_difference},
        "checks": [asdict(check) for check in checks],
        "provenance": dict(provenance),
    }
    store.write_json(path, content)
