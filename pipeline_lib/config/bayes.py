"""Settings of the study bayes."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.base import (
    Conflict,
    Count,
    CountOrZero,
    Items,
    Listed,
    NonEmpty,
    OrderedItems,
    Section,
)
from pipeline_lib.config.study import StudySection

TemplateName = Literal["base", "independent", "order_irrelevant"]
Probability = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(gt=0, le=1e6)]
Outcome = Annotated[str, Field(pattern=r"^\w+$", examples=["X"])]
Change = Annotated[float, Field(gt=-1, lt=1)]


class BeliefProbeSection(Section):
    """The linear probe for the posterior (definitions 19)."""

    train: Annotated[int, Field(ge=4, le=100_000)] = 200
    """Prompts the probe is fitted on, balanced over the number of X."""
    test: Annotated[int, Field(ge=4, le=100_000)] = 100
    """Prompts of another template it is tested on."""
    train_template: TemplateName = "base"
    """Template of the first."""
    test_template: TemplateName = "order_irrelevant"
    """Template of the second."""
    alpha: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """Penalty of the ridge regression."""
    layer_stride: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Distance between the layers probed, counted down from the last."""
    controls: Annotated[int, Field(ge=1, le=1_000)] = 20
    """Draws of shuffled labels, and of labels reassigned to other numbers of X."""


class HeadPatchingSection(Section):
    """Heads patched from a prompt of many X into one of fewer (definitions 19)."""

    clean: CountOrZero = 9
    """Draws that are X in the prompt patched from."""
    corrupt: Count = 5
    """Draws that are X in the prompt patched into."""
    pairs: Count = 20
    """Pairs of prompts, whose draws come in different orders."""
    position_pairs: Count = 3
    """Of the pairs that are swept, those whose positions are also patched one at a time."""
    min_gap: Annotated[float, Field(ge=0, le=100)] = 0.1
    """Smallest difference of log P(X)/P(Y) between the two prompts that is divided by (nats)."""
    template: TemplateName = "base"
    """Template of the prompts."""
    top: Annotated[int, Field(ge=1, le=50)] = 12
    """Heads in the table, and in the map of positions."""


class SteeringSection(Section):
    """Pushes along the probe's direction at its best layer (definitions 19)."""

    prompts: Count = 30
    """Test prompts of the probe that are steered."""
    changes: Annotated[OrderedItems[Change], NonEmpty] = (-0.75, -0.5, -0.25, 0.25, 0.5, 0.75)
    """Changes of the posterior asked for; those that would lead out of 0 to 1 are left out."""
    random_directions: Annotated[int, Field(ge=1, le=1_000)] = 19
    """Random directions that get steps of equal length."""

    def conflicts(self) -> Iterator[Conflict]:
        """No change is nothing to ask for."""
        if 0.0 in self.changes:
            yield Conflict("changes", 0.0, "must not hold 0: no change is nothing to ask for")


class BayesStudy(StudySection):
    """Does a model integrate draws from a generator as Bayes' rule does (docs/bayes.md)."""

    outcomes: Annotated[Items[Outcome], Field(min_length=2, max_length=2)] = ("X", "Y")
    """Names of the two outcomes of a draw; the generators' probabilities are those of the first."""
    probabilities: Annotated[Items[Probability], Field(min_length=2, max_length=10)] = (0.5, 0.75)
    """Probability of the first outcome under each generator; the belief is in the last one."""
    priors: Listed[Weight] = ()
    """Prior weight of each generator; none: all are equally likely."""
    draws: Annotated[int, Field(ge=2, le=100)] = 10
    """Draws that a prompt shows."""
    permutations: Count = 5
    """Orders of each number of X on which the model is asked (fewer where there are fewer)."""
    templates: Annotated[Items[TemplateName], NonEmpty] = (
        "base", "independent", "order_irrelevant",
    )  # fmt: skip
    """What the prompts say beside the generators."""
    probe: BeliefProbeSection = BeliefProbeSection()
    heads: HeadPatchingSection = HeadPatchingSection()
    steering: SteeringSection = SteeringSection()

    def conflicts(self) -> Iterator[Conflict]:
        """Counts must fit the draws and the generators."""
        yield from super().conflicts()
        yield from self._conflicting_counts()
        if self.priors and len(self.priors) != len(self.probabilities):
            yield Conflict(
                "priors",
                list(self.priors),
                f"must be one for each of the {len(self.probabilities)} probabilities",
                involves=("probabilities",),
            )
        for name in ("train", "test"):
            asked = getattr(self.probe, name)
            if asked > 2**self.draws:
                yield Conflict(
                    f"probe.{name}",
                    asked,
                    f"must not exceed the {2**self.draws} sequences of {self.draws} draws",
                    involves=("draws",),
                )

    def _conflicting_counts(self) -> Iterator[Conflict]:
        heads, involves = self.heads, ("draws", "heads.clean")
        if heads.clean > self.draws:
            yield Conflict("heads.clean", heads.clean, f"must not exceed draws, {self.draws}")
        if not heads.corrupt < self.draws:
            yield Conflict(
                "heads.corrupt",
                heads.corrupt,
                f"must be less than draws, {self.draws}: other orders of it are the control",
                involves=involves,
            )
        if heads.corrupt >= heads.clean:
            yield Conflict(
                "heads.corrupt",
                heads.corrupt,
                f"must be less than heads.clean, {heads.clean}",
                involves=involves,
            )
