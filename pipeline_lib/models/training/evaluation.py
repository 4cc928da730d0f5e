"""Accuracy of a model of the arithmetic study, by operator and by split."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool
from transformers import PreTrainedModel

from pipeline_lib.logs import progress
from pipeline_lib.models.training.data import ArithmeticData

SPLITS = ("all", "train", "held_out")


def answered_correctly(
    model: PreTrainedModel, data: ArithmeticData, batch_size: int = 512
) -> Bool[np.ndarray, " prompt"]:
    """Whether the largest of ALL logits after "=" is the answer's token, for every prompt."""
    correct = []
    starts = range(0, len(data.tokens), batch_size)
    with torch.inference_mode():
        for start in progress(starts, "accuracy", unit="batch"):
            rows = slice(start, start + batch_size)
            logits = model(data.tokens[rows], logits_to_keep=1, use_cache=False).logits[:, -1]
            correct.append((logits.argmax(-1) == data.answers[rows]).numpy())
    return np.concatenate(correct) if correct else np.zeros(0, dtype=bool)


def accuracy_table(model: PreTrainedModel, data: ArithmeticData) -> pd.DataFrame:
    """Table of operator, split (all, train, held_out), prompts (count) and accuracy (0..1).

    The model is evaluated in the dtype of its weights, in small batches because they stay in the
    cache of a CPU. Accuracy of no prompts is NaN.
    """
    scored = data.prompts.assign(correct=answered_correctly(model, data))
    rows = []
    for operator, table in scored.groupby("operator", sort=False):
        parts = {"all": table, "train": table[~table.held_out], "held_out": table[table.held_out]}
        rows += [
            {
                "operator": operator,
                "split": split,
                "prompts": len(parts[split]),
                "accuracy": parts[split]["correct"].mean(),
            }
            for split in SPLITS
        ]
    return pd.DataFrame(rows)
