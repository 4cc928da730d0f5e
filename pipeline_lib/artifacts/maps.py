"""Map artifacts: activations of the top neurons over the operand plane.

k_map [neuron, prompt]: mlp_post at "=", over every valid prompt; value_logits [neuron, number]:
logit of every number's token in the neuron's value vector; layer, neuron [neuron] and a, b, answer
[prompt] say which is which. The KV map is k_map times the value logit of the prompt's answer
(definitions 6); it is computed when read, never stored.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError

KIND = "maps"
CHUNK = 1 << 13  # prompts: the unit in which rows are written and read


@dataclass(frozen=True)
class Maps:
    """Maps of some neurons in memory: see the module's first lines for the axes."""

    neurons: pd.DataFrame
    prompts: pd.DataFrame
    k_map: Float[np.ndarray, "neuron prompt"]
    value_logits: Float[np.ndarray, "neuron number"]

    @property
    def kv_map(self) -> Float[np.ndarray, "neuron prompt"]:
        """K map times the value logit of each prompt's correct answer."""
        return self.k_map * self.value_logits[:, self.prompts["answer"].to_numpy()]


def neuron_index(artifact: store.Artifact) -> pd.DataFrame:
    """The (layer, neuron) of every row of a map artifact."""
    return pd.DataFrame({name: artifact.read(name) for name in ("layer", "neuron")})


def read_norms(artifact: store.Artifact) -> pd.DataFrame:
    """Activation norm of every neuron: root mean square of its K map; a neuron at a time.

    Columns layer, neuron, norm; NaN where there are no prompts.
    """
    table = neuron_index(artifact)
    n_prompts = len(artifact.read("a"))
    if not n_prompts:
        return table.assign(norm=np.nan)
    maps = (artifact.read("k_map", row).astype(np.float64) for row in range(len(table)))
    return table.assign(norm=[float(np.sqrt(np.mean(k_map**2))) for k_map in maps])


def prompt_index(artifact: store.Artifact, operator: str) -> pd.DataFrame:
    """The prompts of a map artifact's columns, as a prompt table."""
    columns = {name: artifact.read(name) for name in ("a", "b", "answer")}
    return pd.DataFrame({"operator": operator, **columns})


def read_activations_of(
    artifact: store.Artifact, prompts: pd.DataFrame
) -> Float[np.ndarray, "neuron prompt"]:
    """K map of every neuron at some prompts (columns a, b), as float32; a neuron at a time.

    Raises ArtifactError for a prompt that the maps do not hold.
    """
    columns = {(int(a), int(b)): place for place, (a, b) in enumerate(_operands(artifact))}
    wanted = zip(prompts["a"].tolist(), prompts["b"].tolist(), strict=True)
    try:
        places = np.array([columns[pair] for pair in wanted], dtype=np.int64)
    except KeyError as error:
        raise ArtifactError(
            "the maps do not hold a prompt",
            where=artifact.path,
            value=error.args[0],
            hint=store.RERUN_HINT,
        ) from None
    n_neurons = len(neuron_index(artifact))
    found = np.zeros((n_neurons, len(places)), dtype=np.float32)
    for row in range(n_neurons if len(places) else 0):
        found[row] = artifact.read("k_map", row)[places]
    return found


def _operands(artifact: store.Artifact) -> Int64[np.ndarray, "prompt 2"]:
    return np.stack([artifact.read("a"), artifact.read("b")], axis=1)


def read_maps(artifact: store.Artifact, operator: str, rows: slice | list[int]) -> Maps:
    """Maps of some rows of an open map artifact, as float32."""
    return Maps(
        neurons=neuron_index(artifact).iloc[rows].reset_index(drop=True),
        prompts=prompt_index(artifact, operator),
        k_map=artifact.read("k_map", rows).astype(np.float32),
        value_logits=artifact.read("value_logits", rows),
    )
