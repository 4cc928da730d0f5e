"""The lookup layer: neurons whose weighted posts are the planted features, exactly.

A gated neuron post = silu(gate) * up is exact where |gate| >= 128: silu is then the identity or 0
in float32. So a gate is an AND of one-hot features, and, on integers, a ramp max(0, v - r); sums of
ramps give any function of a + b, a - b or, with one pair of ramps for each quotient, of a // b.
Features are -1 (set by the token "=") until the posts add 2: the norm of the stream never changes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from pipeline_lib.models.planted.catalogue import Feature, members, plane, valid
from pipeline_lib.models.planted.settings import MAX_OPERAND
from pipeline_lib.models.planted.stream import N_QUOTIENTS, Stream

SATURATED = 128.0
OFF = 128 * SATURATED
"""Taken from a ramp's gate under other operators; no ramp of theirs is as high."""

SIGNS = {"add": 1, "sub": -1}
"""Results that are sums of the operands, and the sign of the second one."""

Weights = Float[np.ndarray, "neuron target"]
Reads = Float[np.ndarray, "neuron d_model"]


@dataclass(frozen=True)
class Bank:
    """Neurons of one kind, and the weight of each one's post in each of the targets."""

    gate: Reads
    up: Reads
    weights: Weights


def operator_banks(
    stream: Stream, operator: str, features: list[Feature]
) -> tuple[list[Bank], bool]:
    """Banks of one operator, with its features as targets in their order.

    Also whether further targets follow: the quotients 0 to MAX_OPERAND - 1 of division.
    """
    tables = [_result_table(feature) for feature in features]
    of_result = np.array([feature.heuristic.target == "result" for feature in features])
    summed = of_result & (operator != "mul")
    is_pair = np.array([feature.heuristic.target == "pair" for feature in features])
    table = np.array([t if s else 0 * t for t, s in zip(tables, summed, strict=True)])
    quotients = operator == "div"
    if quotients:
        table = np.concatenate([table, np.eye(N_QUOTIENTS, table.shape[1])])
    banks = []
    if operator in SIGNS:
        banks.append(_sums(stream, operator, table))
    elif quotients:
        banks.append(_quotients(stream, operator, table))
    banks.append(_same(stream, operator, np.pad(is_pair, (0, len(table) - len(is_pair)))))
    for place in np.flatnonzero(~summed & ~is_pair):
        banks.append(_products(stream, features[place], int(place), len(table)))
    return banks, quotients


def noise_bank(stream: Stream, rng: np.random.Generator, n: int) -> Bank:
    """Random features u(a) w(b) with u and w of +1 and -1: two neurons each, for every operator."""
    u, w = (rng.choice([-1.0, 1.0], size=(n, MAX_OPERAND)) for _ in range(2))
    gate, up = stream.vector("op1", SATURATED * u), stream.vector("op2", w / SATURATED)
    both = np.eye(n)
    return Bank(np.concatenate([gate, -gate]), np.concatenate([up, -up]), np.vstack([both, both]))


def _result_table(feature: Feature) -> Float[np.ndarray, " result"]:
    """1 for each result from 0 on of which a heuristic on results is true (else all 0)."""
    if feature.heuristic.target != "result":
        return np.zeros(2 * MAX_OPERAND)
    return feature.heuristic.accepts(np.arange(2 * MAX_OPERAND)).astype(np.float64)


def _ramps(
    stream: Stream,
    operator: str,
    slope: tuple[int, int],
    starts: Int[np.ndarray, " neuron"],
) -> tuple[Reads, Reads]:
    """Gates and ups of neurons max(0, slope_a a + slope_b b - start), silent elsewhere."""
    operands = np.arange(MAX_OPERAND)
    value = stream.vector("op1", slope[0] * operands) + stream.vector("op2", slope[1] * operands)
    off = OFF * (stream.is_chosen(operator) - stream.one())
    gate = SATURATED * (value - starts[:, None] * stream.one()) + off
    return gate, np.tile(stream.one() / SATURATED, (len(starts), 1))


def _sums(stream: Stream, operator: str, table: Float[np.ndarray, "target result"]) -> Bank:
    """Functions of a + b or a - b: second differences as weights of ramps from -1, 0, 1, ..."""
    top = int(plane(operator)["answer"].to_numpy()[valid(operator).ravel()].max())
    padded = np.pad(table[:, : top + 1], ((0, 0), (2, 0)))
    weights = np.diff(padded, n=2, axis=1).T
    return Bank(*_ramps(stream, operator, (1, SIGNS[operator]), np.arange(-1, top)), weights)


def _quotients(stream: Stream, operator: str, table: Float[np.ndarray, "target result"]) -> Bank:
    """Functions of a // b: first differences as weights of the steps a - q b >= 0."""
    table = table[:, :MAX_OPERAND]
    steps = np.diff(table, axis=1).T
    gates, ups, weights = [_gate(stream, operator)], [stream.one() / SATURATED], [table[:, 0]]
    for quotient in range(1, MAX_OPERAND):
        gate, up = _ramps(stream, operator, (1, -quotient), np.array([-1, 0]))
        gates += list(gate)
        ups += list(up)
        weights += [steps[quotient - 1], -steps[quotient - 1]]
    return Bank(np.stack(gates), np.stack(ups), np.stack(weights))


def _same(stream: Stream, operator: str, targets: Bool[np.ndarray, " target"]) -> Bank:
    """1 where a = b: three ramps of a - b."""
    gate, up = _ramps(stream, operator, (1, -1), np.array([-1, 0, 1]))
    return Bank(gate, up, np.outer([1.0, -2.0, 1.0], targets))


def _products(stream: Stream, feature: Feature, place: int, n_targets: int) -> Bank:
    """Any function of (a, b): one neuron for each group of operands with the same other operands.

    The gate is "this operator and an operand of the group", up reads which others are members.
    """
    everywhere = members(feature)
    choices = [
        (first, second, matrix)
        for table in (everywhere, everywhere & valid(feature.operator))
        for first, second, matrix in (("op1", "op2", table), ("op2", "op1", table.T))
    ]
    first, second, groups, rows = min(
        ((first, second, *_grouped(matrix)) for first, second, matrix in choices),
        key=lambda choice: len(choice[2]),
    )
    gate = _gate(stream, feature.operator) + 2 * SATURATED * (
        stream.vector(first, groups) - stream.one()
    )
    weights = np.zeros((len(groups), n_targets))
    weights[:, place] = 1.0
    return Bank(gate, stream.vector(second, rows / SATURATED), weights)


def _grouped(
    matrix: Bool[np.ndarray, "one other"],
) -> tuple[Real[np.ndarray, "group one"], Real[np.ndarray, "group other"]]:
    """The distinct rows that are not empty, and which rows are the same as each."""
    rows, group = np.unique(matrix, axis=0, return_inverse=True)
    groups = group.ravel() == np.arange(len(rows))[:, None]
    filled = rows.any(axis=1)
    return groups[filled].astype(np.float64), rows[filled].astype(np.float64)


def _gate(stream: Stream, operator: str) -> Float[np.ndarray, " d_model"]:
    """+128 under the operator, -128 under others."""
    return SATURATED * (2 * stream.is_chosen(operator) - stream.one())
