"""What a self-test compares and finds: the measure, the tolerance, one `Check` a comparison."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline_lib.errors import VerificationError

Status = Literal["passed", "failed", "measured", "not available"]

TOLERANCE = 1e-5
"""Largest difference allowed in float32, as a share of the largest logit."""
NOISE_FLOORS = 4
"""Largest difference allowed in bfloat16 and float16, in noise floors of the model."""


@dataclass(frozen=True)
class Check:
    """One comparison; differences of logits (no unit), the relative one as `Ruler` says.

    ``tolerance`` is that of the relative difference; None where nothing is to be passed. ``note``
    is the reason why a check is not available.
    """

    name: str
    reference: str
    status: Status
    compared: int = 0
    max_abs_difference: float | None = None
    max_rel_difference: float | None = None
    tolerance: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Ruler:
    """Measures differences against the largest logit of the clean and counterfactual runs.

    ``noise_floor`` is the model's, as a share of that logit.
    """

    largest_logit: float
    dtype: torch.dtype
    noise_floor: float

    @property
    def tolerance(self) -> float:
        """A constant in float32, else a multiple of the noise floor.

        A noise floor below the dtype's own resolution counts as that resolution, because results
        that happen to agree to the bit say nothing about another order of the same sums.
        """
        if self.dtype in (torch.float32, torch.float64):
            return TOLERANCE
        return NOISE_FLOORS * max(self.noise_floor, torch.finfo(self.dtype).eps)

    def no_finer_than(self, noise_floor: float) -> "Ruler":
        """The same for results that have a larger noise floor."""
        return replace(self, noise_floor=max(self.noise_floor, noise_floor))

    def check(
        self,
        name: str,
        reference: str,
        ours: Float[Tensor, "row value"],
        theirs: Float[Tensor, "row value"],
        *,
        terms: int = 1,
    ) -> Check:
        """The largest difference of two results; NaN fails.

        ``terms`` is the number of logits that enter a value: a log-probability (nats) is a logit
        minus the log of a sum of logits' exponentials, so it may differ by twice as much.
        """
        apart = largest_difference(ours, theirs)
        allowed = terms * self.tolerance
        relative = apart / self.largest_logit
        status: Status = "passed" if relative <= allowed else "failed"
        return Check(name, reference, status, len(ours), apart, relative, allowed)


def largest_difference(
    ours: Float[Tensor, "row value"], theirs: Float[Tensor, "row value"]
) -> float:
    """Largest absolute difference; 0 of nothing, NaN when either side holds NaN."""
    if not ours.numel():
        return 0.0
    return float((ours.double() - theirs.double()).abs().max())


def require_passed(checks: Sequence[Check], where: str) -> None:
    """Raise VerificationError for the failed check that is furthest off, if any."""
    failed = [check for check in checks if check.status == "failed"]
    if not failed:
        return
    worst = max(failed, key=_severity)
    others = f"; {len(failed) - 1} more checks failed" if len(failed) > 1 else ""
    raise VerificationError(
        f'The patching engine failed its self-test "{worst.name}" against {worst.reference}.',
        where=where,
        value=f"largest difference {worst.max_rel_difference:.3g} of the largest logit, "
        f"tolerance {worst.tolerance:.3g}{others}",
        hint="No effect was measured; the log lists every check. Either a library has another "
        "version than in requirements.lock, or this is a bug of the engine: please report it.",
    )


def _severity(check: Check) -> float:
    """How many tolerances a check is off; NaN is worst."""
    ratio = (check.max_rel_difference or 0.0) / (check.tolerance or 1.0)
    return math.inf if math.isnan(ratio) else ratio
