"""Which heuristics a neuron implements, and how surely (definitions 17).

A chain starts with the heuristic that explains most of the neuron's map beyond its trend. What it
explains joins the trend, and the next link is the heuristic that explains most of the rest. So a
range inside a range, or an even number inside a multiple of four, counts once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from pipeline_lib.heuristics.calibration.evidence import Evidence, Maps
from pipeline_lib.heuristics.calibration.strongest import Contest, Strongest
from pipeline_lib.heuristics.calibration.surrogates import Noise, Surrogates
from pipeline_lib.heuristics.calibration.tails import tail_probability
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.heuristics.types import Heuristic

SAFETY = 2.5
"""Surrogates count with so many times their evidence, on the scale of the log-likelihood ratio.

The smoothness of a very smooth map is known only roughly from the map itself, and its surrogates
have as little as half the evidence of equally smooth surfaces: see `benchmarks/calibration.py`.
"""
LONGEST_CHAIN = 5
LATER_DRAWS = 19
"""Surrogates for the links after the first, which decides whether a neuron is classified."""

Values = Float[np.ndarray, " prompt"]


@dataclass(frozen=True)
class Link:
    """One heuristic of a neuron's chain."""

    heuristic: Heuristic
    map: str
    side: str
    evidence: float
    """Share that it explains of what the links before it leave."""
    share: float
    """Share that it explains of the map beyond its trend."""
    p_value: float
    """Share of the map's surrogates with a heuristic of as much evidence; 1 if none was drawn."""


@dataclass(frozen=True)
class Calibration:
    """Finds the chains of neurons over the prompts of one operator."""

    evidence: Evidence
    kind: Kind
    min_share: float
    """Smallest share of the map that a link has to explain."""
    surrogates: Surrogates | None = None
    """Without them no link is tested: all p-values are 1."""
    noise: Noise | None = None
    """One draw per surrogate."""

    @classmethod
    def of(
        cls,
        index: HeuristicIndex,
        rng: np.random.Generator,
        *,
        kind: Kind,
        max_base_rate: float,
        min_share: float,
        surrogates: int,
    ) -> "Calibration":
        """Calibration over the prompts of an index, with this many surrogates of each neuron."""
        evidence = Evidence.build(index, max_base_rate)
        drawn = Surrogates.of(evidence, rng)
        return cls(evidence, kind, min_share, drawn, drawn.noise(surrogates, rng))

    @cached_property
    def contest(self) -> Contest:
        """All heuristics, with nothing explained yet."""
        return Contest.of(self.evidence, self.kind)

    def chain(
        self, k: Values, value: Values, limit: float = 1.0, longest: int = LONGEST_CHAIN
    ) -> list[Link]:
        """Links of one neuron, from its K map and the value logit of each prompt's answer.

        A link is followed by another while its p-value is at most ``limit``. Empty for a neuron
        whose map is its trend.
        """
        contest = self.contest
        links: list[Link] = []
        while len(links) < longest:
            best = contest.strongest(k[None], (k * value)[None])
            heuristic = best.heuristic[0]
            if heuristic is None:
                break
            share = float(best.evidence[0]) * self._left(contest, k, value, bool(best.on_kv[0]))
            if links and share < self.min_share:
                break
            draws = LATER_DRAWS if links else None
            links.append(self._link(contest, best, k, value, share, draws))
            if links[-1].p_value > limit or share < self.min_share:
                break
            contest = self._explained(contest, heuristic, value)
        return links

    def _link(
        self,
        contest: Contest,
        best: Strongest,
        k: Values,
        value: Values,
        share: float,
        draws: int | None,
    ) -> Link:
        null = np.zeros(0)
        if share >= self.min_share and self.surrogates and self.noise is not None:
            maps = surrogate_maps(contest.k, self.surrogates, k, self.noise[:draws])
            null = contest.strongest(maps, maps * value).evidence
        heuristic, evidence = best.heuristic[0], float(best.evidence[0])
        assert heuristic is not None
        return Link(
            heuristic,
            "KV" if best.on_kv[0] else "K",
            "bottom" if best.bottom[0] else "top",
            evidence,
            share,
            tail_probability(evidence, null, SAFETY),
        )

    def _left(self, contest: Contest, k: Values, value: Values, on_kv: bool) -> float:
        """Share of a map beyond its trend that the links so far leave."""
        values = (k * value if on_kv else k)[None]
        before, now = (contest.kv, self.evidence) if on_kv else (contest.k, self.evidence)
        left, whole = (float((e.residuals(values) ** 2).sum()) for e in (before, now))
        return left / whole if whole else 0.0

    def _explained(self, contest: Contest, heuristic: Heuristic, value: Values) -> Contest:
        """The contest without what a heuristic explains, alone or times the value logits."""
        indicator = heuristic.members(self.evidence.index.prompts).astype(np.float32)
        kv = contest.kv.beyond(indicator, indicator * value)
        return Contest(contest.k.beyond(indicator), kv)


def surrogate_maps(evidence: Evidence, surrogates: Surrogates, k: Values, noise: Noise) -> Maps:
    """Surrogates of a K map: its trend and, beyond it, as smooth a surface without structure."""
    left = evidence.residuals(k[None])[0]
    if not left.any():
        return np.repeat(k[None], len(noise), axis=0)
    return (k - left) + surrogates.draw(left, noise)
