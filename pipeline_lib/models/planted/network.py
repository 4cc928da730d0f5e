"""The planted network as arrays: every weight written by hand, nothing trained (definitions 16).

Layer 0 and 1: heads move operands and operator to "=". Layer 1: MLP neurons look up the planted
features. Layer 2: MLP neurons that are the heuristics, each reading one feature, and decoys.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.models.architectures import ModelShape
from pipeline_lib.models.planted.catalogue import features
from pipeline_lib.models.planted.heads import attention_weights, heads
from pipeline_lib.models.planted.late import SCALE, LateNeuron, late_neurons, noise_reads
from pipeline_lib.models.planted.lookups import Bank, noise_bank, operator_banks
from pipeline_lib.models.planted.settings import (
    D_HEAD,
    D_MODEL,
    HEURISTICS_LAYER,
    LOOKUP_LAYER,
    MAX_DECOYS,
    MAX_NUMBER,
    MAX_OPERAND,
    N_HEADS,
    N_LAYERS,
    PlantedSettings,
)
from pipeline_lib.models.planted.stream import (
    CONSTANT,
    N_NOISE,
    N_QUOTIENTS,
    SQUARES,
    Stream,
    four_squares,
)
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS

D_MLP = 640
"""Neurons of a layer; those that are not used have weights of 0."""
QUOTIENT_MARGIN = 3.0
"""Nats by which the path below the heuristics prefers the right quotient."""
NORM = 4.0
"""Weight of every norm: the root mean square it divides by."""
NEURON_COLUMNS = ["operator", "layer", "neuron", "heuristic", "kind", "form"]
HEAD_COLUMNS = ["layer", "head", "kind", "moves"]

Weights = dict[str, Float[np.ndarray, "..."]]


@dataclass(frozen=True)
class PlantedNetwork:
    """Weights by their names in a Hugging Face Llama, and what is planted where."""

    settings: PlantedSettings
    weights: Weights
    neurons: pd.DataFrame
    """NEURON_COLUMNS: kind planted or decoy; form of a decoy."""
    heads: pd.DataFrame
    """HEAD_COLUMNS: kind planted or decoy; what "=" gets through the head."""
    overlap: float
    """Mean absolute cosine between the directions of two features of one operator."""


def model_shape() -> ModelShape:
    """Sizes of the network, the same whatever its settings."""
    return ModelShape(
        model_type="llama",
        n_layers=N_LAYERS,
        n_heads=N_HEADS,
        n_kv_heads=N_HEADS,
        d_head=D_HEAD,
        d_model=D_MODEL,
        d_mlp=D_MLP,
        d_vocab=len(tokens()),
        n_positions=128,
        gated_mlp=True,
        parallel_residual=False,
        tied_embedding=False,
    )


def tokens() -> list[str]:
    """The vocabulary in order, that of `training.tokenizer`: checked when a folder is written."""
    symbols = [operator.symbol for operator in OPERATORS.values()]
    numbers = [str(number) for number in range(MAX_NUMBER + 1)]
    return ["<pad>", "<bos>", "<eos>", *symbols, "=", *numbers, "<unk>"]


def build_network(settings: PlantedSettings) -> PlantedNetwork:
    """The network of these settings; the same settings give the same weights."""
    stream = Stream(len(features()))
    directions = feature_directions(settings)
    written = stream.vector("features", np.pad(directions, ((0, 0), (0, _missing(directions)))))
    rng = generator(settings.seed, "planted", "late")
    late = late_neurons(stream, features(), written, settings.decoys, rng)
    places = rng.permutation(D_MLP)[: len(late)]
    weights = _empty_layers()
    weights |= _embedding(stream, settings, written)
    _write_heads(weights, stream, settings)
    _write_lookups(weights, stream, settings, written)
    _write_late(weights, stream, settings, late, places)
    return PlantedNetwork(
        settings, weights, _neuron_table(late, places), _head_table(settings), _overlap(directions)
    )


def feature_directions(settings: PlantedSettings) -> Float[np.ndarray, "feature dim"]:
    """Unit vectors of the features late neurons read, in (1 - superposition) as many dimensions.

    Without superposition one dimension each. Else rows of a random rotation, cut off after these
    dimensions and scaled to length 1: the more are cut off, the less orthogonal they are.
    """
    n = len(features())
    if settings.superposition == 0:
        return np.eye(n)
    rng = generator(settings.seed, "planted", "directions")
    rotation, triangle = np.linalg.qr(rng.standard_normal((n, n)))
    kept = (rotation * np.sign(np.diag(triangle)))[:, : round((1 - settings.superposition) * n)]
    return kept / np.linalg.norm(kept, axis=1, keepdims=True)


def _missing(directions: Float[np.ndarray, "feature dim"]) -> int:
    return directions.shape[0] - directions.shape[1]


def _overlap(directions: Float[np.ndarray, "feature dim"]) -> float:
    operators = np.array([feature.operator for feature in features()])
    together = (operators[:, None] == operators) & ~np.eye(len(operators), dtype=bool)
    return float(np.abs(directions @ directions.T)[together].mean())


def _empty_layers() -> Weights:
    weights: Weights = {"model.norm.weight": np.full(D_MODEL, NORM)}
    attention, mlp = (N_HEADS * D_HEAD, D_MODEL), (D_MLP, D_MODEL)
    for layer in range(N_LAYERS):
        name = f"model.layers.{layer}"
        for projection in ("q", "k", "v"):
            weights[f"{name}.self_attn.{projection}_proj.weight"] = np.zeros(attention)
        weights[f"{name}.self_attn.o_proj.weight"] = np.zeros(attention[::-1])
        for projection in ("gate", "up"):
            weights[f"{name}.mlp.{projection}_proj.weight"] = np.zeros(mlp)
        weights[f"{name}.mlp.down_proj.weight"] = np.zeros(mlp[::-1])
        for norm in ("input", "post_attention"):
            weights[f"{name}.{norm}_layernorm.weight"] = np.full(D_MODEL, NORM)
    return weights


def _embedding(
    stream: Stream, settings: PlantedSettings, written: Float[np.ndarray, "feature d_model"]
) -> Weights:
    """What tokens write, filled up to one sum of squares, and what the unembedding reads."""
    vocabulary, places = tokens(), stream.places()
    table = np.tile(stream.vector("constant", CONSTANT), (len(vocabulary), 1))
    unembedding = np.zeros_like(table)
    first = vocabulary.index("0")
    table[first : first + MAX_OPERAND] += stream.basis("number")
    symbols = [vocabulary.index(operator.symbol) for operator in OPERATORS.values()]
    table[symbols] += stream.basis("operator")
    table[vocabulary.index("<bos>")] += stream.vector("is_bos", 1.0)
    equals = vocabulary.index("=")
    table[equals] += stream.vector("is_equals", 1.0) - written.sum(axis=0)
    for token, vector in enumerate(table):
        # "=" still gets what heads write there before the lookup layer
        moved = _moved(settings) if token == equals else 0
        vector[places["fill"]] = four_squares(round(SQUARES - moved - float(vector @ vector)))
    numbers = slice(first, first + MAX_NUMBER + 1)
    unembedding[numbers] = SCALE * stream.basis("logits")
    unembedding[first : first + N_QUOTIENTS] += SCALE * QUOTIENT_MARGIN * stream.basis("quotient")
    return {"model.embed_tokens.weight": table, "lm_head.weight": unembedding}


def _moved(settings: PlantedSettings) -> int:
    return sum(round(head.size**2) for head in heads(settings.decoys) if head.layer <= LOOKUP_LAYER)


def _write_heads(weights: Weights, stream: Stream, settings: PlantedSettings) -> None:
    for head in heads(settings.decoys):
        name = f"model.layers.{head.layer}.self_attn"
        rows = slice(head.head * D_HEAD, (head.head + 1) * D_HEAD)
        query, key, value, output = attention_weights(stream, head)
        for projection, matrix in (("q", query), ("k", key), ("v", value)):
            weights[f"{name}.{projection}_proj.weight"][rows] = matrix
        weights[f"{name}.o_proj.weight"][:, rows] = output


def _write_lookups(
    weights: Weights,
    stream: Stream,
    settings: PlantedSettings,
    written: Float[np.ndarray, "feature d_model"],
) -> None:
    """Features go from -1 to 1, so what is on is written twice."""
    banks: list[tuple[Bank, Float[np.ndarray, "target d_model"]]] = []
    owners = np.array([feature.operator for feature in features()])
    for operator in OPERATORS:
        own = [feature for feature in features() if feature.operator == operator]
        found, with_quotients = operator_banks(stream, operator, own)
        targets = 2 * written[owners == operator]
        if with_quotients:
            targets = np.concatenate([targets, stream.basis("quotient") / SCALE])
        banks += [(bank, targets) for bank in found]
    if settings.noise > 0:
        rng = generator(settings.seed, "planted", "noise features")
        banks.append((noise_bank(stream, rng, N_NOISE), stream.basis("noise")))
    gate = np.concatenate([bank.gate for bank, _ in banks])
    up = np.concatenate([bank.up for bank, _ in banks])
    down = np.concatenate([bank.weights @ targets for bank, targets in banks])
    _write_mlp(weights, LOOKUP_LAYER, np.arange(len(gate)), gate, up, down)


def _write_late(
    weights: Weights,
    stream: Stream,
    settings: PlantedSettings,
    late: list[LateNeuron],
    places: np.ndarray,
) -> None:
    gate, up = (np.stack([getattr(neuron, name) for neuron in late]) for name in ("gate", "up"))
    if settings.noise > 0:
        rng = generator(settings.seed, "planted", "noise")
        up = up + noise_reads(stream, late, settings.noise, rng)
    rows = np.stack([neuron.row for neuron in late])
    down = stream.vector("logits", rows / SCALE)
    _write_mlp(weights, HEURISTICS_LAYER, places, gate, up, down)


def _write_mlp(
    weights: Weights,
    layer: int,
    places: np.ndarray,
    gate: np.ndarray,
    up: np.ndarray,
    down: np.ndarray,
) -> None:
    name = f"model.layers.{layer}.mlp"
    weights[f"{name}.gate_proj.weight"][places] = gate
    weights[f"{name}.up_proj.weight"][places] = up
    weights[f"{name}.down_proj.weight"][:, places] = down.T


def _neuron_table(late: list[LateNeuron], places: np.ndarray) -> pd.DataFrame:
    rows = [
        {
            "operator": neuron.operator,
            "layer": HEURISTICS_LAYER,
            "neuron": int(place),
            "heuristic": neuron.heuristic,
            "kind": "planted" if neuron.heuristic else "decoy",
            "form": neuron.form,
        }
        for neuron, place in zip(late, places, strict=True)
    ]
    return pd.DataFrame(rows, columns=NEURON_COLUMNS)


def _head_table(settings: PlantedSettings) -> pd.DataFrame:
    rows = [
        {
            "layer": head.layer,
            "head": head.head,
            "kind": "decoy" if head.is_decoy else "planted",
            "moves": head.moves,
        }
        for head in heads(settings.decoys)
    ]
    return pd.DataFrame(rows, columns=HEAD_COLUMNS)


assert len(features()) + len(OPERATORS) * MAX_DECOYS <= D_MLP, "too few neurons"
