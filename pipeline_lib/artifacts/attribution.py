"""Attribution artifacts: the estimated effect of every neuron and head.

neurons_last [prompt, layer, neuron] at the last position; neurons_mean and neurons_std [position,
layer, neuron] over prompts; mlp0_before [prompt, neuron] of the first layer, mean of the positions
before the last; heads [prompt, position, layer, head]. The same prompts come once for each seed,
one seed after the other. No units.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib import store
from pipeline_lib.artifacts.neuron_effects import ATTRIBUTION
from pipeline_lib.interventions.attribute import Attribution
from pipeline_lib.models.loading import LanguageModel


def write_attribution(
    path: str | Path,
    model: LanguageModel,
    batches: Iterable[Attribution],
    n_prompts: int,
    position_names: Sequence[str],
    seeds: Sequence[int],
    provenance: Mapping[str, Any],
) -> None:
    """Store attribution batch by batch; NaN effects are kept, means and deviations skip none.

    ``n_prompts`` are those of all ``seeds`` together.
    ``position_names`` name the last positions of the prompts; earlier ones (BOS, few-shot text)
    are the same text in both runs of a pair and are left out.
    """
    n_pos, layers, neurons = len(position_names), model.n_layers, model.d_mlp
    total = np.zeros((2, n_pos, layers, neurons))
    coords: dict[str, Any] = {"position": list(position_names), "layer": np.arange(layers)}
    coords["seed"] = np.array(seeds)
    values = layers * (neurons + n_pos * model.n_heads) + neurons
    store.require_space(Path(path).parent, 4 * n_prompts * values)
    with store.create_artifact(path, ATTRIBUTION, coords=coords, provenance=provenance) as writer:
        last = writer.reserve(
            "neurons_last", (n_prompts, layers, neurons), "float32", ("prompt", "layer", "neuron")
        )
        heads = writer.reserve(
            "heads",
            (n_prompts, n_pos, layers, model.n_heads),
            "float32",
            ("prompt", "position", "layer", "head"),
        )
        mlp0 = writer.reserve("mlp0_before", (n_prompts, neurons), "float32", ("prompt", "neuron"))
        start = 0
        for batch in batches:
            stop = start + len(batch)
            effects = batch.neurons[:, -n_pos:].double().numpy()
            last[start:stop] = effects[:, -1]
            mlp0[start:stop] = effects[:, :-1, 0].mean(axis=1)
            heads[start:stop] = batch.heads[:, -n_pos:].numpy()
            total += effects.sum(axis=0), (effects**2).sum(axis=0)
            start = stop
        mean = total[0] / max(n_prompts, 1)
        variance = np.maximum(total[1] - n_prompts * mean**2, 0) / max(n_prompts - 1, 1)
        axes = ("position", "layer", "neuron")
        writer.add("neurons_mean", store.Array(mean.astype(np.float32), axes))
        writer.add("neurons_std", store.Array(np.sqrt(variance).astype(np.float32), axes))
