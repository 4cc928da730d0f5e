"""Settings of the rival explanations: Fourier modes and helices of numbers."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.base import Count, NonEmpty, OrderedItems, Section, Seed


class RivalsSection(Section):
    """Fourier modes and helices against heuristics (definitions 15)."""

    prompts: Annotated[int, Field(ge=4, le=1_000_000)] = 20_000
    """Valid prompts per operator on which maps are explained; one half chooses, one half tests."""
    n_modes: Annotated[int, Field(ge=1, le=20)] = 5
    """Most Fourier modes, and as many heuristics, that explain a map."""
    periods: Annotated[OrderedItems[Annotated[int, Field(ge=2, le=10_000)]], NonEmpty] = (
        2, 5, 10, 100,
    )  # fmt: skip
    """Periods of the helix of a number; the modes of a map are tried at these and at all others."""
    prompts_per_number: Count = 8
    """Correct prompts over which the residual at each operand or answer is averaged."""
    draws: Annotated[int, Field(ge=10, le=10_000)] = 40
    """Shuffled orders of the numbers behind the null of a spectrum."""
    pairs: Count = 50
    """Pairs of prompts per operator, which differ in one operand, whose subspaces are patched."""
    seed: Seed = 42
    """Seed of the choice of prompts and pairs, of the halves and of all null draws."""
