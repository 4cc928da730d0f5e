"""Settings of what estimates and circuits are held against: exact effects, random sets."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.base import Count, Section, Seed


class ExactSection(Section):
    """Exact effect of single neurons at "=", by patching them one at a time (definitions 12)."""

    neurons: Literal["all"] | Count = 16
    """Patched in each layer: `all`, or so many of the top, of the middle and of the others."""
    prompts: Count = 100
    """Discovery prompts per operator in which they are patched."""
    seed: Seed = 42
    """Seed of the choice of neurons and prompts."""


class CircuitTestSection(Section):
    """Each circuit against random sets of as many heads (definitions 13)."""

    sets: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Random sets anywhere in the model, and as many with the circuit's number in each layer."""
    prompts: Count = 50
    """Correct evaluation prompts per operator."""
    seed: Seed = 42
    """Seed of the choice of sets and prompts."""
