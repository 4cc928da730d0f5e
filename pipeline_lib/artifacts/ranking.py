"""Heads and neurons in order of importance, from the artifacts of their effects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline_lib import store
from pipeline_lib.artifacts.attribution import KIND as ATTRIBUTION
from pipeline_lib.artifacts.effects import KIND as EFFECTS
from pipeline_lib.circuits.study import Ranking, ranked_heads
from pipeline_lib.neurons.importance import ImportanceRule, importance, importance_at

LAST = "equals"


def read_ranking(
    effects: Sequence[str | Path], attribution: str | Path, rule: ImportanceRule
) -> Ranking:
    """Ranking of one operator, from the effects of all its seeds and its attribution."""
    with store.open_artifact(attribution, ATTRIBUTION) as artifact:
        neurons = importance(artifact.read("neurons_last"), rule).values
        before = [n for n, name in enumerate(artifact.coords("position")) if name != LAST]
        mean, std = (
            artifact.read(name, np.s_[before, 0]).astype(np.float64)
            for name in ("neurons_mean", "neurons_std")
        )
    heads = ranked_heads([_head_effects(path) for path in effects])
    return Ranking(heads, neurons, importance_at(mean, std, rule))


def _head_effects(path: str | Path) -> np.ndarray:
    """Indirect effects [prompt, position, layer, head] of one seed."""
    with store.open_artifact(path, EFFECTS) as artifact:
        return artifact.read("indirect_effect")[..., :-1]
