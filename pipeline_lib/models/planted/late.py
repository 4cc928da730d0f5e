"""The late layer: neurons that read one planted feature each, and decoys that read operands."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from pipeline_lib.models.planted import effects
from pipeline_lib.models.planted.catalogue import Feature, members, valid
from pipeline_lib.models.planted.lookups import SATURATED
from pipeline_lib.models.planted.settings import MAX_NUMBER, MAX_OPERAND
from pipeline_lib.models.planted.stream import N_NOISE, Stream
from pipeline_lib.stimuli.arithmetic import OPERATORS

EFFECT = 0.3
"""Mean effect of every planted neuron (nats of half a logit difference)."""
DECOY_SHARE = 0.2
"""Root mean square effect of a decoy, in planted neurons' mean effects."""
SCALE = 16.0
"""Nats in one unit of the stream's logits."""

Form = Literal["heuristic", "ramp", "surface", "lookup", "constant"]
DECOYS: tuple[Form, ...] = get_args(Form)[1:]
Read = Float[np.ndarray, " d_model"]


@dataclass(frozen=True)
class LateNeuron:
    """One neuron: what it reads and writes, and its map over the operands before noise."""

    operator: str
    heuristic: str
    """Machine name; empty for a decoy."""
    form: Form
    gate: Read
    up: Read
    row: Float[np.ndarray, " number"]
    """Logits that an activation of 1 adds (nats)."""
    activation: Float[np.ndarray, "a b"]


def planted_neuron(
    stream: Stream, feature: Feature, directions: Float[np.ndarray, "feature d_model"], place: int
) -> LateNeuron:
    """A neuron that reads feature number ``place`` along its direction, and is 0 or 1 with it.

    Its value row promotes, all alike, the results that prompts of the heuristic have: the right
    answer is always among them. The size of the row gives each neuron the same mean effect.
    """
    overlaps = directions @ directions[place]
    # features are -1 or 1: half their sum and half the sum of the overlaps is 0 where all are off
    read = (directions[place] + overlaps.sum() * stream.one()) / 2
    activation = members(feature).astype(np.float64)
    row = effects.implied_results(activation, feature.operator)
    row *= EFFECT / effects.mean_effect(feature.operator, activation, row)
    return LateNeuron(
        operator=feature.operator,
        heuristic=feature.heuristic.name,
        form="heuristic",
        gate=_gate(stream, feature.operator),
        up=read / SATURATED,
        row=row,
        activation=activation,
    )


def decoy_neuron(stream: Stream, operator: str, form: Form, rng: np.random.Generator) -> LateNeuron:
    """A neuron without a heuristic, whose effect is a small share of a planted neuron's.

    ramp: linear in both operands. surface: silu(g(a, b)) u(a, b) with smooth g and u. lookup:
    white noise of each operand. constant: always on, with a value row that is a residue class of
    the results; the others promote the results on which they are high.
    """
    gate, up = _gate(stream, operator), stream.one() / SATURATED
    activation = np.ones((MAX_OPERAND, MAX_OPERAND))
    if form == "surface":
        (g_a, g_b), (u_a, u_b) = (_smooth(rng), _smooth(rng)), (_smooth(rng), _smooth(rng))
        off = SATURATED * (stream.is_chosen(operator) - stream.one())
        gate = stream.vector("op1", g_a) + stream.vector("op2", g_b) + off
        up = stream.vector("op1", u_a) + stream.vector("op2", u_b)
        activation = _silu(g_a[:, None] + g_b) * (u_a[:, None] + u_b)
    elif form != "constant":
        a, b = (_profile(form, rng) for _ in range(2))
        up = (stream.vector("op1", a) + stream.vector("op2", b)) / SATURATED
        activation = a[:, None] + b
    row = effects.mean_by_result(activation, operator)
    if form == "constant":
        n = int(rng.integers(2, 6))
        row = (np.arange(MAX_NUMBER + 1) % n == rng.integers(n)).astype(np.float64)
    size = effects.root_mean_square_effect(operator, activation, row, rng)
    row = row * (DECOY_SHARE * EFFECT / size)
    return LateNeuron(operator, "", form, gate, up, row, activation)


def late_neurons(
    stream: Stream,
    features: tuple[Feature, ...],
    directions: Float[np.ndarray, "feature d_model"],
    decoys: int,
    rng: np.random.Generator,
) -> list[LateNeuron]:
    """All planted neurons, then ``decoys`` of each operator, of every form in turn."""
    planted = [
        planted_neuron(stream, feature, directions, place) for place, feature in enumerate(features)
    ]
    others = [
        decoy_neuron(stream, operator, DECOYS[n % len(DECOYS)], rng)
        for operator in OPERATORS
        for n in range(decoys)
    ]
    return planted + others


def noise_reads(
    stream: Stream, neurons: list[LateNeuron], noise: float, rng: np.random.Generator
) -> Float[np.ndarray, "neuron d_model"]:
    """What ``up`` reads more: a mixture of the noise features, each neuron its own.

    Over pairs of operands its deviation is ``noise`` times that of the neuron's map over the valid
    prompts (of the mean neuron's for constant maps); values of different pairs are uncorrelated.
    """
    spread = np.array([n.activation[valid(n.operator)].std() for n in neurons])
    spread = np.where(spread > 0, spread, spread[spread > 0].mean())
    mixture = rng.standard_normal((len(neurons), N_NOISE))
    mixture /= np.linalg.norm(mixture, axis=1, keepdims=True)
    read = stream.vector("noise", noise * spread[:, None] * mixture)
    saturated = np.array([n.form != "surface" for n in neurons])
    return read / np.where(saturated, SATURATED, 1.0)[:, None]


def _gate(stream: Stream, operator: str) -> Read:
    """+128 under the operator, -128 under others."""
    return SATURATED * (2 * stream.is_chosen(operator) - stream.one())


def _profile(form: Form, rng: np.random.Generator) -> Float[np.ndarray, " operand"]:
    """Part of a map that one operand makes: a line for a ramp, else white noise."""
    if form == "ramp":
        line = np.linspace(-1, 1, MAX_OPERAND)
        return line * rng.uniform(0.3, 1.0) * rng.choice([-1.0, 1.0])
    return rng.standard_normal(MAX_OPERAND)


def _smooth(rng: np.random.Generator) -> Float[np.ndarray, " operand"]:
    """A random smooth function of one operand, deviation 1: noise blurred over 4 to 12 numbers."""
    length = rng.uniform(4, 12)
    apart = np.subtract.outer(np.arange(MAX_OPERAND), np.arange(MAX_OPERAND))
    blurred = np.exp(-((apart / length) ** 2) / 2) @ rng.standard_normal(MAX_OPERAND)
    return (blurred - blurred.mean()) / blurred.std()


def _silu(x: Float[np.ndarray, "a b"]) -> Float[np.ndarray, "a b"]:
    return x / (1 + np.exp(-x))
