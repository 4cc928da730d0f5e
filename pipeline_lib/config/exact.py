"""Settings of patching single neurons, the truth that attribution estimates."""

from typing import Literal

from pipeline_lib.config.base import Count, Section, Seed


class ExactSection(Section):
    """Exact effect of single neurons at "=", by patching them one at a time (definitions 12)."""

    neurons: Literal["all"] | Count = 16
    """Patched in each layer: `all`, or so many of the top, of the middle and of the others."""
    prompts: Count = 100
    """Discovery prompts per operator in which they are patched."""
    seed: Seed = 42
    """Seed of the choice of neurons and prompts."""
