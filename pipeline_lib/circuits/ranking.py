"""Attention heads ranked by their mean indirect effect (paper table 2; definitions 9)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline_lib.errors import ConfigError


@dataclass(frozen=True, order=True)
class Head:
    """One attention head; layers and heads count from 0."""

    layer: int
    head: int

    @property
    def name(self) -> str:
        """Name in tables and in the config, for example L15H13."""
        return f"L{self.layer}H{self.head}"

    @classmethod
    def from_name(cls, name: str) -> "Head":
        """Head of a name; ConfigError for a name that is not one."""
        found = re.fullmatch(r"L(\d+)H(\d+)", name)
        if not found:
            raise ConfigError("this is not the name of a head", value=name, hint="like L15H13")
        return cls(int(found[1]), int(found[2]))


def prompt_effects(
    seeds: Sequence[Float[np.ndarray, "prompt position layer head"]],
) -> Float[np.ndarray, "prompt layer head"]:
    """Each prompt's effect of every head: mean over counterfactual seeds and patched positions.

    The seeds hold the same prompts in the same order. Values that are not finite are left out;
    a head without a finite value has NaN.
    """
    values = np.stack(seeds)
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0).sum(axis=(0, 2))
    count = finite.sum(axis=(0, 2))
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def rank_heads(mean: Float[np.ndarray, "layer head"], n_heads: int) -> list[Head]:
    """The ``n_heads`` heads with the largest mean effect; ties go to the lower layer and head.

    NaN ranks last.
    """
    values = np.where(np.isnan(mean), -np.inf, mean).ravel()
    order = np.argsort(-values, kind="stable")[:n_heads]
    return [Head(*divmod(int(place), mean.shape[1])) for place in order]
