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


def set_masks(
    sets: Sequence[np.ndarray], n_layers: int, d_mlp: int
) -> Bool[Tensor, "set layer d_mlp"]:
    """Ablation masks with True at every neuron of each set."""
    masks = torch.zeros(len(sets), n_layers, d_mlp, dtype=torch.bool)
    for mask, neurons in zip(masks, sets, strict=True):
        mask[torch.from_numpy(neurons[:, 0]), torch.from_numpy(neurons[:, 1])] = True
    return masks


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
    Rows of one prompt run together, so its clean run is made once, and rows that have the same set
    (the same object) share its mask.
    """

    def is_correct(prompts: pd.DataFrame, sets: Sequence[np.ndarray]) -> np.ndarray:
        correct = np.zeros(len(prompts), dtype=bool)
        order = np.lexsort([prompts[name] for name in ("b", "a", "operator")])
        for start in range(0, len(order), batch_rows):
            rows = order[start : start + batch_rows]
            chosen = prompts.iloc[rows]
            distinct = {id(sets[row]): sets[row] for row in rows}
            number = {key: n for n, key in enumerate(distinct)}
            predicted = predict_ablated(
                model,
                encode(chosen),
                set_masks(list(distinct.values()), model.n_layers, model.d_mlp),
                sets=torch.tensor([number[id(sets[row])] for row in rows]),
                positions=positions,
            )
            correct[rows] = predicted.numpy() == answer_ids[chosen["answer"].to_numpy()]
        return correct

    return is_correct
