"""What takes the place of activations that are ablated: zero, a mean, another prompt's values."""

from dataclasses import replace
from typing import Any, Literal

import torch

from pipeline_lib.interventions import Activations

Replacement = Literal["zero", "mean", "resample"]
SITES = ("z", "mlp_post", "resid_post")


def replaced(
    activations: Activations, by: Replacement, generator: torch.Generator | None = None
) -> Activations:
    """The activations of every prompt replaced: by 0, their mean over prompts, or another prompt's.

    Prompts are of one length, and means and exchanges are taken position by position. ``resample``
    moves every prompt's values on to another prompt, by one random cycle through all of them drawn
    with ``generator``. Raises ValueError where a single prompt is to be resampled.
    """
    if by == "resample" and len(activations) < 2:
        raise ValueError("a single prompt has no other one to take values from")
    chosen: dict[str, Any] = {}
    order = _cycle(len(activations), generator) if by == "resample" else None
    for name, values in activations.arrays().items():
        if name not in SITES:
            continue
        if by == "zero":
            chosen[name] = torch.zeros_like(values)
        elif by == "mean":
            chosen[name] = values.mean(0, keepdim=True).expand_as(values).clone()
        else:
            chosen[name] = values[order]
    return replace(activations, **chosen)


def _cycle(n: int, generator: torch.Generator | None) -> torch.Tensor:
    """For each of n things another one, all different."""
    order = torch.randperm(n, generator=generator)
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    return other
