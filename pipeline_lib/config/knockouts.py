"""Settings of taking neurons away: from the model, and from its training checkpoints."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pipeline_lib.config.base import (
    Conflict,
    Count,
    NonEmpty,
    OrderedItems,
    Section,
    Seed,
)


class HeuristicKnockoutSection(Section):
    """Accuracy without the neurons of one heuristic (paper, figure 7)."""

    min_neurons: Count = 10
    """Heuristics with fewer neurons are left out."""
    prompts: Count = 100
    """Largest number of associated prompts, and of not associated ones, per heuristic."""
    positions: Literal["all", "last"] = "all"
    """Token positions at which the neurons are set to zero."""
    seed: Seed = 42
    """Seed of the choice of prompts."""


class PromptKnockoutSection(Section):
    """Accuracy without the neurons whose heuristics fit the prompt (paper, figure 8)."""

    prompts: Count = 50
    """Correct evaluation prompts per operator."""
    max_per_layer: Count = 100
    """Largest number of neurons set to zero in each layer."""
    step: Count = 5
    """Distance between the numbers of neurons tried: 0, step, ..., max_per_layer."""
    rank: Literal["score", "count"]
    """Order of the neurons: by their best fitting score, or by the number of fitting heuristics."""
    positions: Literal["all", "last"] = "all"
    """Token positions at which the neurons are set to zero."""
    seed: Seed = 42
    """Seed of the choice of prompts and of the control neurons."""

    def conflicts(self) -> Iterator[Conflict]:
        """At least one number of neurons beside zero must be tried."""
        if self.step > self.max_per_layer:
            yield Conflict(
                "step",
                self.step,
                f"must not be larger than max_per_layer, which is {self.max_per_layer}",
                involves=("max_per_layer",),
            )


class KnockoutsSection(Section):
    """Tests of the heuristics by taking neurons away."""

    by_heuristic: HeuristicKnockoutSection = HeuristicKnockoutSection()
    by_prompt: PromptKnockoutSection


class CheckpointsSection(Section):
    """Heuristics over training, for models whose `checkpoints` are named (paper, figure 10)."""

    enabled: bool = True
    """Whether the checkpoints are looked at; models without any have nothing to look at."""
    mean_prompts: Count = 20_000
    """Prompts over which a checkpoint's mean activations are taken; the model itself takes all."""
    prompts: Count = 50
    """Evaluation prompts per operator and checkpoint, of those the checkpoint answers right."""
    min_prompts: Count = 5
    """With fewer that it answers right, a checkpoint has no point in figures 10b and 10c."""
    per_layer: Annotated[OrderedItems[Count], NonEmpty] = (5, 10, 25)
    """Numbers of neurons set to zero in each layer, for every prompt those of its heuristics."""
    seed: Seed = 42
    """Seed of the order in which prompts are taken, and of the control neurons."""
