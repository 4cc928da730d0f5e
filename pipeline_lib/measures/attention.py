"""What attention patterns say of a prompt's own tokens: sources, means with intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.circuits.ranking import Head
from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.stimuli.arithmetic import POSITIONS

BEFORE = "before"
SOURCES = (BEFORE, *POSITIONS)
"""What can be attended to: all before the prompt (BOS, few-shot examples), and its own tokens."""
N_OWN = len(POSITIONS)
COLUMNS = ["layer", "head", "query", "source", "mean", "low", "high", "n_prompts"]


def collapse_sources(
    patterns: Float[np.ndarray, "*any key"],
) -> Float[np.ndarray, "*any source"]:
    """Attention to each of `SOURCES`: that to everything before the prompt's own tokens added up.

    Keys are all tokens of a prompt; rows that sum to 1 still do.
    """
    before = patterns[..., :-N_OWN].sum(axis=-1, keepdims=True)
    return np.concatenate([before, patterns[..., -N_OWN:]], axis=-1)


def mean_patterns(
    patterns: Float[np.ndarray, "prompt layer head query source"],
    heads: Sequence[Head],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Mean pattern over prompts of some heads with its 95 % bootstrap interval (`COLUMNS`).

    One row per (head, query, source), in the order of ``heads`` and `SOURCES`; all of them share
    the resamples of prompts. Without prompts there are no rows.
    """
    if not len(patterns) or not heads:
        return pd.DataFrame(columns=COLUMNS)
    layer, head = (np.array([getattr(h, name) for h in heads]) for name in ("layer", "head"))
    chosen = patterns[:, layer, head].astype(np.float64)
    low, high = bootstrap_mean_interval(chosen, rng)
    place, query, source = (grid.ravel() for grid in np.indices(chosen.shape[1:]))
    return pd.DataFrame(
        {
            "layer": layer[place],
            "head": head[place],
            "query": np.array(SOURCES, dtype=object)[query],
            "source": np.array(SOURCES, dtype=object)[source],
            "mean": chosen.mean(axis=0).ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "n_prompts": len(patterns),
        }
    )
