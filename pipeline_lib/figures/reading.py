"""What the figures read: artifacts and tables of the earlier stages, a neuron at a time.

The kinds of artifacts are written out here, not imported from ``pipeline_lib.artifacts``: those
modules load torch, which would make every figure start seconds later. A test compares them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError

EFFECTS_KIND = "effects"
ATTRIBUTION_KIND = "attribution"
EXACT_KIND = "exact_neurons"
MAPS_KIND = "maps"
PATTERNS_KIND = "attention_patterns"
PICTURES_KIND = "attention_pictures"
OV_KIND = "ov_maps"
MLP0_KIND = "mlp0_numbers"
KEYS_KIND = "key_vectors"
OUTPUTS_KIND = "mlp_outputs"
MATCH_COLUMNS = (
    "kind", "layer", "neuron", "heuristic", "label", "type", "map", "side", "score", "base_rate",
    "corrected_score",
)  # fmt: skip


def paths(value: str | Iterable[str]) -> list[str]:
    """The files of one named input, which may be a single path."""
    return [value] if isinstance(value, str) else [str(path) for path in value]


def per_operator(
    inputs: dict[str, Any], name: str, operators: Sequence[str]
) -> dict[str, list[str]]:
    """Files of one input by operator; they come operator by operator, as many for each."""
    return _split(inputs, name, operators, "operator")


def per_model(inputs: dict[str, Any], name: str, models: Sequence[str]) -> dict[str, list[str]]:
    """Files of one input by model; they come model by model, as many for each."""
    return _split(inputs, name, models, "model")


def _split(
    inputs: dict[str, Any], name: str, parts: Sequence[str], kind: str
) -> dict[str, list[str]]:
    files = paths(inputs[name])
    each = len(files) // len(parts)
    if each * len(parts) != len(files) or not each:
        raise ArtifactError(
            f"the input {name!r} does not have as many files for every {kind}",
            value=f"{len(files)} files, {kind}s {', '.join(parts)}",
        )
    return {part: files[i * each : (i + 1) * each] for i, part in enumerate(parts)}


def one_per_operator(inputs: dict[str, Any], name: str, operators: Sequence[str]) -> dict[str, str]:
    """The one file of an input for each operator."""
    return {op: files[0] for op, files in per_operator(inputs, name, operators).items()}


@dataclass(frozen=True)
class Effects:
    """Effects of one operator: one array [prompt, position, layer, component] a seed.

    ``seeds`` are indirect effects, ``log_odds`` the changes of log P(r)/P(r') (nats). All seeds
    have the same clean prompts, each with another counterfactual.
    """

    seeds: list[Float[np.ndarray, "prompt position layer component"]]
    positions: list[str]
    layers: list[int]
    components: list[str]
    log_odds: list[Float[np.ndarray, "prompt position layer component"]] = field(
        default_factory=list
    )

    @property
    def n_prompts(self) -> int:
        """Prompts of one seed."""
        return len(self.seeds[0])


def read_effects(files: Sequence[str]) -> Effects:
    """Effects of one operator, of all its seeds."""
    seeds, log_odds = [], []
    for path in files:
        with store.open_artifact(path, EFFECTS_KIND) as artifact:
            seeds.append(artifact.read("indirect_effect").astype(np.float64))
            log_odds.append(artifact.read("log_odds_change").astype(np.float64))
            coords = {axis: artifact.coords(axis) for axis in ("position", "layer", "component")}
    return Effects(
        seeds,
        positions=[str(name) for name in coords["position"]],
        layers=[int(layer) for layer in coords["layer"]],
        components=[str(name) for name in coords["component"]],
        log_odds=log_odds,
    )


def finite_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of the finite values, NaN where there is none."""
    finite = np.isfinite(values)
    total, count = np.where(finite, values, 0.0).sum(axis=0), finite.sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def read_matches(path: str, kind: str) -> pd.DataFrame:
    """Matches of one kind of map (K, KV or hybrid)."""
    matches = store.read_table(path, MATCH_COLUMNS)
    return matches[matches["kind"] == kind].reset_index(drop=True)


def best_first(matches: pd.DataFrame) -> pd.DataFrame:
    """Matches from the best chance-corrected score down, so that trivial heuristics come last.

    Of equal scores the heuristic with more prompts comes first.
    """
    return matches.sort_values(
        ["corrected_score", "base_rate", "layer", "neuron", "heuristic"],
        ascending=[False, False, True, True, True],
        ignore_index=True,
    )


def own_heuristics(matches: pd.DataFrame) -> pd.DataFrame:
    """Of every neuron the match with the best chance-corrected score, the best neuron first."""
    return best_first(matches).drop_duplicates(["layer", "neuron"], ignore_index=True)


@dataclass(frozen=True)
class NeuronMap:
    """One neuron's activation on every valid prompt, and what it writes."""

    operator: str
    prompts: pd.DataFrame
    k: Float[np.ndarray, " prompt"]
    value_logits: Float[np.ndarray, " number"]

    def values(self, name: str) -> Float[np.ndarray, " prompt"]:
        """The K map, or the KV map: K times the value logit of each prompt's answer."""
        if name == "K":
            return self.k
        return self.k * self.value_logits[self.prompts["answer"].to_numpy()]


def read_neuron_map(path: str, layer: int, neuron: int) -> NeuronMap:
    """Map of one neuron; only its row is read. ArtifactError when the file does not hold it."""
    with store.open_artifact(path, MAPS_KIND) as artifact:
        same = (artifact.read("layer") == layer) & (artifact.read("neuron") == neuron)
        if not same.any():
            raise ArtifactError(
                "the maps do not hold this neuron",
                where=path,
                value=neuron_name(layer, neuron),
                hint=store.RERUN_HINT,
            )
        row = int(np.flatnonzero(same)[0])
        return NeuronMap(
            operator=str(artifact.provenance["operator"]),
            prompts=pd.DataFrame({name: artifact.read(name) for name in ("a", "b", "answer")}),
            k=artifact.read("k_map", row).astype(np.float32),
            value_logits=artifact.read("value_logits", row).astype(np.float32),
        )


def neuron_name(layer: int, neuron: int) -> str:
    """Name of a neuron in figures, for example L3 N17."""
    return f"L{layer} N{neuron}"


def promoted_numbers(value_logits: Float[np.ndarray, " number"], count: int) -> list[int]:
    """The ``count`` numbers with the largest value logits, the largest first."""
    return np.argsort(-value_logits, kind="stable")[:count].tolist()
