"""Settings of the recovery test: what methods find of a network whose heuristics are planted."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.base import Count, NonEmpty, OrderedItems, Section, Seed

Noise = Annotated[float, Field(ge=0, le=100)]
Superposition = Annotated[float, Field(ge=0, le=0.95)]


class RecoverySection(Section):
    """Planted networks that methods are tested on (`snakemake planted`; definitions 16)."""

    noise: Annotated[OrderedItems[Noise], NonEmpty] = (0.0, 0.25, 0.5, 1.0, 2.0)
    """Noise of the networks without superposition (`models.<name>.noise`)."""
    superposition: Annotated[OrderedItems[Superposition], NonEmpty] = (0.0, 0.25, 0.5, 0.75)
    """Superposition of the networks without noise (`models.<name>.superposition`)."""
    decoys: Annotated[int, Field(ge=0, le=64)] = 12
    """Late neurons of each operator without a heuristic."""
    seed: Seed = 42
    """Seed of the networks, and of the choice of prompts."""
    patched: Count = 24
    """Pairs of prompts of each operator on which heads and MLPs are patched."""
    attributed: Count = 2_000
    """Pairs of prompts of each operator on which neurons are attributed."""
    multi_value_prompts: Count = 100
    """In place of `heuristics.types.multi_value_prompts`: the planted planes have few prompts."""
