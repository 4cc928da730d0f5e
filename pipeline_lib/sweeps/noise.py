"""The noise floor of a measure: how far it moves when only the batch changes."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64
from torch import Tensor

from pipeline_lib.interventions import candidate_logits
from pipeline_lib.models.loading import LanguageModel

Measure = Callable[[Float64[np.ndarray, "prompt candidate"]], Float64[np.ndarray, " prompt"]]


def noise_floor(
    model: LanguageModel,
    tokens: Int64[Tensor, "prompt token"],
    token_ids: Int64[Tensor, "prompt candidate"],
    measure: Measure,
) -> float:
    """Largest difference of a measure between prompts run together and one by one.

    Both are the same numbers in exact arithmetic; matrix products of other shapes round otherwise.
    """
    together = measure(candidate_logits(model, tokens, token_ids).numpy())
    alone = [
        measure(candidate_logits(model, tokens[[row]], token_ids[[row]]).numpy())
        for row in range(len(tokens))
    ]
    return float(np.abs(together - np.concatenate(alone)).max()) if alone else 0.0
