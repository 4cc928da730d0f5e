"""The heuristic that explains each neuron best, over all heuristics and both maps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from pipeline_lib.heuristics.calibration.evidence import Evidence, Maps
from pipeline_lib.heuristics.counting import Ranking
from pipeline_lib.heuristics.matching import Kind, two_sided
from pipeline_lib.heuristics.mining import mine_values
from pipeline_lib.heuristics.types import Heuristic

TIE = 1e-5
"""Correlations closer than this are equal; then the high side of a map comes first."""

Strengths = Float[np.ndarray, " map"]


@dataclass(frozen=True)
class Strongest:
    """For each of some maps the heuristic with the most evidence."""

    evidence: Strengths
    """Squared partial correlation: the share of the map beyond its trend that is explained."""
    heuristic: list[Heuristic | None]
    """None where nothing is left beyond the trend."""
    on_kv: Bool[np.ndarray, " map"]
    bottom: Bool[np.ndarray, " map"]
    """Whether the map is low, not high, where the heuristic holds."""


@dataclass(frozen=True)
class Contest:
    """All heuristics of one kind of matching, each on the map on which it counts."""

    k: Evidence
    """For the heuristics that count on K maps."""
    kv: Evidence
    """For those that count on KV maps."""

    @classmethod
    def of(cls, evidence: Evidence, kind: Kind) -> "Contest":
        """All heuristics on the maps of this kind."""
        always = np.full(len(evidence.heuristics), kind == "KV")
        chosen = evidence.on_result if kind == "hybrid" else always
        return cls(evidence.only(~chosen), evidence.only(chosen))

    def strongest(self, k_maps: Maps, kv_maps: Maps) -> Strongest:
        """The heuristic with the most evidence of each neuron, at either end where both count.

        ``k_maps`` and ``kv_maps`` belong to the same neurons.
        """
        left = self.k.residuals(k_maps), self.kv.residuals(kv_maps)
        signed = np.concatenate(
            [self.k.correlations(left[0]), self.kv.correlations(left[1])], axis=1
        )
        ends = np.where(self._both_ends, np.abs(signed), np.maximum(signed, 0.0))
        best = (ends + TIE * (signed > 0)).argmax(axis=1)
        value = np.where(self._both_ends, signed, np.maximum(signed, 0.0))
        value = value[np.arange(len(best)), best].astype(np.float64)
        names = [*self.k.heuristics, *self.kv.heuristics]
        found = Strongest(
            evidence=np.minimum(value**2, 1.0),  # 1 to rounding
            heuristic=[names[i] if v else None for i, v in zip(best, value, strict=True)],
            on_kv=best >= len(self.k.heuristics),
            bottom=value < 0,
        )
        on_kv = len(self.kv.heuristics) > 0
        self._add_mined(found, (kv_maps, left[1]) if on_kv else (k_maps, left[0]), on_kv)
        return found

    @cached_property
    def _both_ends(self) -> Bool[np.ndarray, " heuristic"]:
        settings = self.k.index.settings
        return np.concatenate(
            [
                two_sided(settings, self.k.heuristics, "K"),
                two_sided(settings, self.kv.heuristics, "KV"),
            ]
        )

    def _add_mined(self, found: Strongest, maps: tuple[Maps, Maps], on_kv: bool) -> None:
        """Put in multi-value heuristics where they explain more; they depend on the map (div)."""
        beyond = self.kv if on_kv else self.k
        for row, (values, left) in enumerate(zip(*maps, strict=True)):
            several = mined(values, beyond)
            if several is None:
                continue
            value = beyond.correlation(several, left)
            if value > 0 and value**2 > found.evidence[row] + TIE:
                found.evidence[row], found.heuristic[row] = value**2, several
                found.on_kv[row], found.bottom[row] = on_kv, False


def mined(values: Float[np.ndarray, " prompt"], evidence: Evidence) -> Heuristic | None:
    """The few results that make up a map's top prompts, if they are so few (div only)."""
    index = evidence.index
    settings, depth = index.settings, min(index.settings.multi_value_prompts, len(values))
    if index.operator != "div" or not depth or not settings.multi_value_sizes:
        return None
    # most maps have many results near the top: seen without sorting all prompts
    near = index.results[np.argpartition(-values, depth - 1)[:depth]]
    largest = -np.sort(-np.bincount(near))[: max(settings.multi_value_sizes)]
    certain = values >= np.partition(values, -depth)[-depth]
    if certain.sum() == depth and largest.sum() < settings.multi_value_share * depth:
        return None
    return mine_values(Ranking.of(values), index.results, settings)
