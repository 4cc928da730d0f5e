"""Figure 12a: effect of every neuron of the first MLP, before the last position."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.figures.fig04a_neuron_effects import COLUMNS, draw_neuron_effects, effect_rows
from pipeline_lib.figures.reading import ATTRIBUTION_KIND, one_per_operator
from pipeline_lib.figures.style import Drawn
from pipeline_lib.neurons.importance import importance_at
from pipeline_lib.stats import Z_95

BEFORE_LAST = ("operand1", "operator", "operand2")


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the attribution of every operator."""
    files = one_per_operator(inputs, "attribution", operators)
    parts = [tabulate_mlp0_effects(op, path) for op, path in files.items()]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_neuron_effects(table, operators, 'mean effect before "="'), table)


def tabulate_mlp0_effects(operator: str, path: str) -> pd.DataFrame:
    """Mean effect of each neuron of layer 0 over prompts and the positions before the last.

    low, high: 95 % interval of a normal mean, from the mean of the positions' standard errors,
    which is at least the standard error of their mean. NaN effects count as 0; the largest are
    labelled. No rows without prompts.
    """
    with store.open_artifact(path, ATTRIBUTION_KIND) as artifact:
        n_prompts = artifact.dataset("neurons_last").shape[0]
        names = artifact.coords("position").tolist()
        rows = [place for place, name in enumerate(names) if name in BEFORE_LAST]
        mean, std = (
            artifact.read(name, np.s_[rows, 0]).astype(np.float64)
            for name in ("neurons_mean", "neurons_std")
        )
    if not n_prompts:
        return pd.DataFrame(columns=COLUMNS)
    effect = importance_at(mean, std, "mean")
    half = Z_95 * np.nan_to_num(std).mean(axis=0) / np.sqrt(n_prompts)
    return effect_rows(operator, 0, effect, (effect - half, effect + half), n_prompts)
