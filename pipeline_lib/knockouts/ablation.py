"""Accuracy of a model on prompts while each prompt has its own set of neurons silenced."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from pipeline_lib.interventions.ablate import Where, predict_ablated
from pipeline_lib.models.loading import LanguageModel

NeuronSet = Int[np.ndarray, "ablated 2"]
"""Neurons as rows (layer, neuron)."""

IsCorrect = Callable[[pd.DataFrame, Sequence[np.ndarray]], np.ndarray]
"""Takes prompts and one NeuronSet for each; says which prompts are still answered right."""

NO_NEURONS = np.empty((0, 2), dtype=np.int64)


def set_mask(
    sets: Sequence[np.ndarray], n_layers: int, d_mlp: int
) -> Bool[Tensor, "row layer d_mlp"]:
    """Ablation mask with True at every neuron of each row's set."""
    mask = torch.zeros(len(sets), n_layers, d_mlp, dtype=torch.bool)
    for row, neurons in enumerate(sets):
        mask[row, torch.from_numpy(neurons[:, 0]), torch.from_numpy(neurons[:, 1])] = True
    return mask


def ablated_correctness(
    model: LanguageModel,
    encode: Callable[[pd.DataFrame], Tensor],
    answer_ids: Int[np.ndarray, " number"],
    *,
    positions: Where,
    batch_rows: int = 1024,
) -> IsCorrect:
    """The `IsCorrect` of a model: zero the set's ``mlp_post``, then compare argmax with the answer.

    ``positions`` is "all" or "last" (definitions 8); ``answer_ids`` the token of every number.
    """

    def is_correct(prompts: pd.DataFrame, sets: Sequence[np.ndarray]) -> np.ndarray:
        correct = np.zeros(len(prompts), dtype=bool)
        for start in range(0, len(prompts), batch_rows):
            rows = prompts.iloc[start : start + batch_rows]
            mask = set_mask(sets[start : start + batch_rows], model.n_layers, model.d_mlp)
            predicted = predict_ablated(
                model, encode(rows), mask, value="zero", positions=positions
            )
            target = answer_ids[rows["answer"].to_numpy()]
            correct[start : start + batch_rows] = predicted.numpy() == target
        return correct

    return is_correct
