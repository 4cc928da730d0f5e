"""Effects of prompt pairs on disk: indirect-effect maps and attribution, one file an operator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib import store
from pipeline_lib.interventions.patch import PatchedAnswers
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.stimuli.arithmetic import POSITIONS

KIND = "effects"


def columns_of(position_names: Sequence[str]) -> list[int]:
    """Token columns of named prompt positions, counted from the end so that few-shot text fits."""
    return [POSITIONS.index(name) - len(POSITIONS) for name in position_names]


def component_names(n_heads: int) -> list[str]:
    """Names along the component axis: head_0 ... head_{H-1}, mlp."""
    return [*(f"head_{head}" for head in range(n_heads)), "mlp"]


def write_effects(
    path: str | Path,
    model: LanguageModel,
    answers: PatchedAnswers,
    position_names: Sequence[str],
    provenance: Mapping[str, Any],
) -> None:
    """Store the effect of every patch, per prompt, and the clean log-probabilities.

    indirect_effect (eq. 1) and log_odds_change (nats): float64 [prompt, position, layer,
    component]; clean_logp (nats): float64 [prompt, answer] of r and r'.
    """
    axes = ("prompt", "position", "layer", "component")
    arrays = {
        "indirect_effect": store.Array(answers.indirect_effect(), axes),
        "log_odds_change": store.Array(answers.log_odds_change(), axes, "nat"),
        "clean_logp": store.Array(
            np.stack([answers.clean_r, answers.clean_cf], axis=1), ("prompt", "answer"), "nat"
        ),
    }
    coords: dict[str, Any] = {
        "position": list(position_names),
        "layer": np.array(answers.layers),
        "component": component_names(model.n_heads),
        "answer": ["r", "r_counterfactual"],
    }
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)
