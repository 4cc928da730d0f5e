"""Accuracy of a model on prompts while each prompt has its own set of neurons silenced."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pipeline_lib.interventions.ablate import Where, Zero, predict_ablated
from pipeline_lib.interventions.capture import Activations, capture
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.pieces import resumed
from pipeline_lib.stimuli.arithmetic import some_prompts

Kind = Literal["zero", "mean", "resample"]
"""What a silenced neuron's activation becomes (definitions 8)."""

NeuronSet = Int[np.ndarray, "ablated 2"]
"""Neurons as rows (layer, neuron)."""

IsCorrect = Callable[[pd.DataFrame, Sequence[np.ndarray]], np.ndarray]
"""Takes prompts and one NeuronSet for each; says which prompts are still answered right."""

NO_NEURONS = np.empty((0, 2), dtype=np.int64)
N_DONORS = 32
"""Prompts whose activations are kept for resampling."""


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
    value: Zero | Float[Tensor, "filling layer token d_mlp"] = "zero",
    batch_rows: int = 1024,
) -> IsCorrect:
    """The `IsCorrect` of a model: replace the set's ``mlp_post``, compare argmax with the answer.

    ``positions`` is "all" or "last" (definitions 8); ``answer_ids`` the token of every number;
    ``value`` zero, or activations of which a prompt reads the entry named by its column donor (the
    only one where there is one). Rows of one prompt run together, so its clean run is made once,
    and rows that have the same set (the same object) share its mask.
    """

    def is_correct(prompts: pd.DataFrame, sets: Sequence[np.ndarray]) -> np.ndarray:
        correct = np.zeros(len(prompts), dtype=bool)
        order = np.lexsort([prompts[name] for name in ("b", "a", "operator")])

        def answered(rows: np.ndarray) -> tuple[np.ndarray]:
            chosen = prompts.iloc[rows]
            distinct = {id(sets[row]): sets[row] for row in rows}
            number = {key: n for n, key in enumerate(distinct)}
            predicted = predict_ablated(
                model,
                encode(chosen),
                set_masks(list(distinct.values()), model.n_layers, model.d_mlp),
                sets=torch.tensor([number[id(sets[row])] for row in rows]),
                value=value,
                fillings=_donors(chosen, value),
                positions=positions,
            )
            return (predicted.numpy() == answer_ids[chosen["answer"].to_numpy()],)

        parts = [order[start : start + batch_rows] for start in range(0, len(order), batch_rows)]
        for rows, (found,) in resumed(parts, answered):
            correct[rows] = found
        return correct

    return is_correct


def _donors(prompts: pd.DataFrame, value: Zero | Tensor) -> Int[Tensor, " row"] | None:
    """The entry of the replacing values that each prompt reads."""
    if isinstance(value, str) or len(value) == 1:
        return None
    return torch.tensor(prompts["donor"].to_numpy(dtype=np.int64))


def draw_donors(
    prompts: pd.DataFrame, rng: np.random.Generator, n: int = N_DONORS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Up to ``n`` of an operator's prompts, and all prompts with the column donor: one of those.

    No prompt is its own donor. Where there is one prompt alone nothing can be resampled: no donors.
    """
    donors = some_prompts(prompts, n, rng)
    if len(donors) < 2:
        return donors.iloc[:0], prompts.assign(donor=0)
    drawn = rng.integers(0, len(donors), size=len(prompts))
    own = donors[["a", "b"]].to_numpy()[drawn] == prompts[["a", "b"]].to_numpy()
    # the next one is uniform over the others, as the drawn one was
    drawn = (drawn + own.all(axis=1)) % len(donors)
    return donors, prompts.assign(donor=drawn)


def answers_by_kind(
    model: LanguageModel,
    encode: Callable[[pd.DataFrame], Tensor],
    answer_ids: Int[np.ndarray, " number"],
    *,
    kinds: Sequence[Kind],
    means: Activations,
    donors: pd.DataFrame,
    positions: Where,
) -> Mapping[Kind, IsCorrect]:
    """`ablated_correctness` of each kind: zero, the ``means``, the activations of ``donors``.

    Without donors nothing is resampled.
    """
    values: dict[Kind, Zero | Tensor] = {}
    for kind in kinds:
        if kind == "zero":
            values[kind] = "zero"
        elif kind == "mean":
            values[kind] = means.site("mlp_post").transpose(1, 2)
        elif len(donors):
            run = capture(model, encode(donors), ("mlp_post",), keep_logits=False)
            values[kind] = run.site("mlp_post").transpose(1, 2)
    return {
        kind: ablated_correctness(model, encode, answer_ids, positions=positions, value=value)
        for kind, value in values.items()
    }
