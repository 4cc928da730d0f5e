"""Heads and neurons in order of importance, from the artifacts of their effects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline_lib import store
from pipeline_lib.artifacts.effects import KIND as EFFECTS
from pipeline_lib.artifacts.neuron_effects import ATTRIBUTION, read_neuron_effects
from pipeline_lib.circuits.study import Ranking, ranked_heads
from pipeline_lib.neurons.importance import ImportanceRule, importance, importance_at

LAST = "equals"


def read_ranking(
    effects: Sequence[str | Path],
    attribution: str | Path,
    rule: ImportanceRule,
    exact: Sequence[str | Path] = (),
) -> Ranking:
    """Ranking of one operator: heads by the effects of all seeds, neurons by their own at "=".

    The first MLP's neurons act before "=", where only attribution says what they do.
    """
    neurons = importance(read_neuron_effects(attribution, exact), rule).values
    with store.open_artifact(attribution, ATTRIBUTION) as artifact:
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
