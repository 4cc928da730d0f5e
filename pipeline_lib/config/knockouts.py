"""Settings of taking neurons away: from the model, and from its training checkpoints."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.base import (
    Conflict,
    Count,
    Items,
    NonEmpty,
    OrderedItems,
    Section,
    Seed,
)

AblationName = Literal["zero", "mean", "resample"]


class HeuristicKnockoutSection(Section):
    """Accuracy without the neurons of one heuristic (paper, figure 7)."""

    min_neurons: Count = 10
    """Heuristics with fewer neurons are left out."""
    prompts: Count = 100
    """Largest number of associated prompts, and of not associated ones, per heuristic."""
    draws: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Random sets per heuristic that match its neurons in layer, count and activation norm."""
    positions: Literal["all", "last"] = "all"
    """Token positions at which the neurons are ablated."""
    seed: Seed = 42
    """Seed of the choice of prompts, of the random sets and of what is resampled."""


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
    """Token positions at which the neurons are ablated."""
    seed: Seed = 42
    """Seed of the choice of prompts, of the control neurons and of what is resampled."""

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
    """Tests of the heuristics by taking neurons away (definitions 8)."""

    ablations: Annotated[Items[AblationName], NonEmpty] = ("zero", "mean", "resample")
    """What activations become: zero (the paper; always), their mean, another prompt's."""
    by_heuristic: HeuristicKnockoutSection = HeuristicKnockoutSection()
    by_prompt: PromptKnockoutSection

    def conflicts(self) -> Iterator[Conflict]:
        """Figures 7 and 8 show zero ablation, as the paper does."""
        if "zero" not in self.ablations:
            yield Conflict("ablations", list(self.ablations), "must contain zero: figures show it")


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
