"""Figure 12a: effect of every neuron of the first MLP, before the last position."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline_lib import store
from pipeline_lib.figures.fig04a_neuron_effects import draw_neuron_effects, mean_rows
from pipeline_lib.figures.reading import ATTRIBUTION_KIND, one_per_operator
from pipeline_lib.figures.style import Drawn


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the attribution of every operator."""
    files = one_per_operator(inputs, "attribution", operators)
    parts = [tabulate_mlp0_effects(op, path) for op, path in files.items()]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_neuron_effects(table, operators, 'mean effect before "="'), table)


def tabulate_mlp0_effects(operator: str, path: str) -> pd.DataFrame:
    """Mean effect of each neuron of layer 0 over prompts and the positions before the last.

    low, high: 95 % bootstrap interval over seeds and prompts. NaN effects count as 0; the largest
    are labelled. No rows without prompts.
    """
    with store.open_artifact(path, ATTRIBUTION_KIND) as artifact:
        effects, n_seeds = artifact.read("mlp0_before"), len(artifact.coords("seed"))
    return mean_rows(operator, 0, effects, n_seeds, "fig12a")
