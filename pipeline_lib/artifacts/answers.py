"""The tokens of the answers to pairs of prompts.

Apart from the files of effects, because attribution needs them and must not wait for patching.
"""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor


def answer_tokens(
    answer_ids: Int64[np.ndarray, " number"], pairs: pd.DataFrame
) -> tuple[Int64[Tensor, " prompt"], Int64[Tensor, " prompt"]]:
    """Tokens of the clean answer r and of the counterfactual answer r' of every pair."""
    clean, counterfactual = (
        torch.from_numpy(answer_ids[pairs[name].to_numpy(dtype=np.int64)])
        for name in ("answer", "cf_answer")
    )
    return clean, counterfactual
