"""The residual stream of the planted network: which dimensions hold what."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from jaxtyping import Float, Real

from pipeline_lib.models.planted.settings import D_MODEL, MAX_NUMBER, MAX_OPERAND
from pipeline_lib.stimuli.arithmetic import OPERATORS

CONSTANT = 32.0
"""What every token writes in the dimension that stands for a bias."""
SQUARES = 16 * D_MODEL
"""Sum of squares of the stream where it is read: its root mean square is 4, exactly."""
N_NOISE = 32
N_QUOTIENTS = MAX_OPERAND


@dataclass(frozen=True)
class Stream:
    """Places of the parts; all other dimensions are 0.

    number, operator: one-hot of a token. constant, fill, is_bos, is_equals: of every token. op1,
    op2, chosen: at "=", one-hot operands and operator that heads moved there. features, noise: what
    the lookup layer writes there. quotient, logits: read by the unembedding.
    """

    n_features: int

    def places(self) -> dict[str, slice]:
        """Slice of each part."""
        sizes = {
            "number": MAX_OPERAND,
            "operator": len(OPERATORS),
            "constant": 1,
            "fill": 4,
            "is_bos": 1,
            "is_equals": 1,
            "op1": MAX_OPERAND,
            "op2": MAX_OPERAND,
            "chosen": len(OPERATORS),
            "features": self.n_features,
            "noise": N_NOISE,
            "quotient": N_QUOTIENTS,
            "logits": MAX_NUMBER + 1,
        }
        ends = list(accumulate(sizes.values()))
        assert ends[-1] <= D_MODEL, "the stream is too narrow"
        return {
            name: slice(end - size, end)
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }

    def vector(
        self, part: str, values: Real[np.ndarray, "*row dim"] | float
    ) -> Float[np.ndarray, "*row d_model"]:
        """The values in one part of the stream, 0 elsewhere."""
        values = np.atleast_1d(np.asarray(values, dtype=np.float64))
        found = np.zeros((*values.shape[:-1], D_MODEL))
        found[..., self.places()[part]] = values
        return found

    def basis(self, part: str) -> Float[np.ndarray, "dim d_model"]:
        """One unit vector for each dimension of a part."""
        place = self.places()[part]
        return self.vector(part, np.eye(place.stop - place.start))

    def is_chosen(self, operator: str) -> Float[np.ndarray, " d_model"]:
        """Reads 1 where this is the operator, else 0."""
        return self.basis("chosen")[list(OPERATORS).index(operator)]

    def one(self) -> Float[np.ndarray, " d_model"]:
        """Reads 1 everywhere: a bias."""
        return self.vector("constant", 1 / CONSTANT)


def four_squares(total: int) -> tuple[int, int, int, int]:
    """Four integers whose squares add up to ``total`` (Lagrange: there always are some)."""
    root = int(np.sqrt(total))
    for a in range(root, -1, -1):
        for b in range(int(np.sqrt(total - a * a)), -1, -1):
            rest = total - a * a - b * b
            c = np.arange(int(np.sqrt(rest)) + 1)
            d = np.rint(np.sqrt(rest - c * c)).astype(int)
            fits = np.flatnonzero(c * c + d * d == rest)
            if len(fits):
                return a, b, int(c[fits[0]]), int(d[fits[0]])
    raise AssertionError(total)
