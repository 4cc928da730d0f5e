"""The circuit of heads that move operands and operator to "=", and two heads that look like it.

A head of "=" looks at a fixed distance back: its query is the common key turned, by the rotary
angles, by that many positions, so hard that softmax is exactly 0 elsewhere. At other positions
every head looks at BOS, which has nothing to move.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline_lib.models.planted.settings import D_HEAD, D_MODEL, OPERATOR_LAYER
from pipeline_lib.models.planted.stream import Stream

ROPE_THETA = 10_000.0
N_TURNED = 8
"""Pairs of entries, the fastest ones, that tell positions apart; the slowest pair finds BOS."""
SHARPNESS = 2048.0
COPIED = 1 / 32
"""Logits that the repeating decoy head adds to operand 2, in units of the stream."""

In = Float[np.ndarray, "d_head d_model"]
Out = Float[np.ndarray, "d_model d_head"]


@dataclass(frozen=True)
class PlantedHead:
    """One head: where it is, how far back "=" looks with it, which part it moves to which."""

    layer: int
    head: int
    moves: str
    back: int
    source: str
    target: str
    size: float = 1.0
    is_decoy: bool = False


HEADS = (
    PlantedHead(0, 0, "operand1", 3, "number", "op1"),
    PlantedHead(0, 1, "operand2", 1, "number", "op2"),
    PlantedHead(OPERATOR_LAYER, 0, "operator", 2, "operator", "chosen"),
)
DECOY_HEADS = (
    # to dimensions that nothing reads at "="
    PlantedHead(1, 1, "operand1", 3, "number", "number", is_decoy=True),
    PlantedHead(2, 0, "operand2", 1, "number", "logits", COPIED, is_decoy=True),
)


def heads(decoys: int) -> tuple[PlantedHead, ...]:
    """The heads that are not silent; decoys only where there are decoy neurons."""
    return (*HEADS, *(DECOY_HEADS if decoys else ()))


def attention_weights(stream: Stream, head: PlantedHead) -> tuple[In, In, In, Out]:
    """Query, key, value [d_head, d_model] and output [d_model, d_head] of one head."""
    query, key = np.zeros((2, D_HEAD, D_MODEL))
    value, output = np.zeros((D_HEAD, D_MODEL)), np.zeros((D_MODEL, D_HEAD))
    half = D_HEAD // 2
    angles = head.back * ROPE_THETA ** (-2 * np.arange(N_TURNED) / D_HEAD)
    is_equals = stream.vector("is_equals", 1.0)
    query[:N_TURNED] = SHARPNESS * np.outer(np.cos(angles), is_equals)
    query[half : half + N_TURNED] = -SHARPNESS * np.outer(np.sin(angles), is_equals)
    query[half - 1] = SHARPNESS * (stream.one() - is_equals)
    key[:N_TURNED] = stream.one()
    key[half - 1] = stream.vector("is_bos", 1.0)
    source, target = stream.basis(head.source), stream.basis(head.target)
    value[: len(source)] = source
    output[:, : len(source)] = head.size * target[: len(source)].T
    return query, key, value, output
