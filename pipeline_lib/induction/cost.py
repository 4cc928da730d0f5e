"""What the ablations cost, against one whole forward pass for each."""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Bool
from torch import Tensor

from pipeline_lib.induction.ablation import (
    Subject,
    every_head,
    no_head,
    random_sets,
    ranking,
    top_sets,
)
from pipeline_lib.induction.kinds import KINDS


def ablation_cost(
    subjects: Sequence[Subject], sweep: pd.DataFrame, sizes: Sequence[int], n_random: int, seed: int
) -> dict[str, int | float]:
    """Token-layers (one position through one layer) of the ablations, named as in `sweep_cost`.

    A prompt with ablated heads runs the layers from the first of these on; prompts themselves run
    once for every set of calls. The loop runs every ablated prompt through the whole model.
    """
    model = subjects[0].model
    engine = loop = rows = 0
    for place, subject in enumerate(subjects):
        n_entries = subject.prompts.tokens.numel()
        sets = [no_head(model)]
        for kind in KINDS:
            sets += [every_head(model), top_sets(model, ranking(sweep, kind), sizes)]
            if place == 0:
                sets.append(random_sets(model, sizes, n_random, seed, kind).flatten(0, 1))
        masks = torch.cat(sets)
        engine += n_entries * (layers_run(masks) + len(sets) * model.n_layers)
        loop += n_entries * len(masks) * model.n_layers
        rows += len(subject.prompts.tokens) * len(masks)
    return {
        "patches": rows,
        "token_layers": engine,
        "loop_token_layers": loop,
        "times_less": loop / engine,
    }


def layers_run(masks: Bool[Tensor, "set layer head"]) -> int:
    """Layers that all sets together run: those from each one's first ablated head on."""
    return int(masks.any(-1).int().cummax(1).values.sum())
