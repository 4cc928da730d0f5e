"""Mean residuals of single numbers: at the operands that are them, at "=" before answers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.capture import iter_captured
from pipeline_lib.interventions.hooks import EMBEDDED
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rivals.places import COLUMNS, TOKENS
from pipeline_lib.stimuli.arithmetic import some_prompts

Encode = Callable[[pd.DataFrame], Int64[Tensor, "prompt pos"]]


@dataclass(frozen=True)
class NumberStates:
    """Mean residual at one position, for every number that occurs there; `EMBEDDED` comes first."""

    layers: tuple[int, ...]
    numbers: Int[np.ndarray, " number"]
    resid_post: Float[np.ndarray, "number layer d_model"]

    def layer(self, layer: int) -> Float[np.ndarray, "number d_model"]:
        """The residuals leaving one layer."""
        return self.resid_post[:, self.layers.index(layer)]


def layers_at(model: LanguageModel, position: str) -> tuple[int, ...]:
    """Layers whose residual may tell a number: at "=" the embedding cannot."""
    return tuple(range(0 if position == "equals" else EMBEDDED, model.n_layers))


def number_states(
    model: LanguageModel,
    encode: Encode,
    prompts: pd.DataFrame,
    position: str,
    n_prompts: int,
    rng: np.random.Generator,
) -> NumberStates:
    """States at a position, each over up to ``n_prompts`` prompts with this number.

    One prompt is enough at operand 1, whose residual what follows does not change. Memory does not
    grow with the number of prompts. Raises ActivationError for NaN or infinite values.
    """
    column = COLUMNS[position]
    each = 1 if position == "operand1" else n_prompts
    chosen = some_prompts(prompts, len(prompts), rng).groupby(column).head(each)
    numbers, place = np.unique(chosen[column].to_numpy(np.int64), return_inverse=True)
    layers = layers_at(model, position)
    sums = np.zeros((len(numbers), len(layers), model.d_model), dtype=np.float32)
    start = 0
    if len(chosen):
        captured = iter_captured(
            model, encode(chosen), ["resid_post"],
            layers=layers, positions=[TOKENS[position]], keep_logits=False,
        )  # fmt: skip
        for batch in captured:
            rows = place[start : start + len(batch)]
            np.add.at(sums, rows, batch.site("resid_post")[:, 0].float().numpy())
            start += len(batch)
    counts = np.bincount(place, minlength=len(numbers)).astype(np.float32)
    return NumberStates(layers, numbers, sums / counts[:, None, None])
