"""Settings of the study power."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pipeline_lib.config.base import Conflict, Count, Items, NonEmpty, Section, outside
from pipeline_lib.config.study import StudySection
from pipeline_lib.stimuli.power import FALSE_VARIANTS, QUESTION, TRUE_VARIANTS, question_problem


def _askable(question: str) -> str:
    problem = question_problem(question)
    if problem:
        raise PydanticCustomError("question", "{problem}", {"problem": problem})
    return question


Variants = Annotated[Items[Annotated[str, Field(min_length=1)]], NonEmpty]


class SweptPairs(Section):
    """Most pairs that each sweep goes through; heads are many, so theirs are fewer."""

    residual: Count = 100
    """Pairs in which the residual is patched at every layer and token."""
    mlp: Count = 100
    """Pairs in which every MLP is patched at every token."""
    heads: Count = 24
    """Pairs in which every head is patched at every token."""


class PowerStudy(StudySection):
    """Where a model holds who exercises power over whom (docs/power.md)."""

    pairs: Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$")] | None = None
    """TSV with columns name, power, no_power, relative to the project; null: the shipped pairs."""
    outside_project: bool = False
    """Allows `pairs` to be absolute or to lead out of the project."""
    question: Annotated[str, AfterValidator(_askable)] = QUESTION
    """Prompt with the fields {entity} and {sentence}; the model answers after its end."""
    true_variants: Variants = TRUE_VARIANTS
    """Ways to write TRUE; those that are one token count."""
    false_variants: Variants = FALSE_VARIANTS
    """Ways to write FALSE; those that are one token count."""
    alignment: Literal["strict", "right"] = "strict"
    """`strict`: only pairs of as many tokens; `right`: all, tokens counted from the end."""
    swept: Literal["told_apart", "ordered"] = "told_apart"
    """`told_apart`: pairs whose runs differ beyond noise; `ordered`: and in the right order."""
    n_pairs: SweptPairs = SweptPairs()
    shown_pair: Literal["auto"] | Annotated[int, Field(ge=2, le=10_000_000)] = "auto"
    """Line of the pair in the heat maps of one pair; auto: the one whose runs differ most."""

    def conflicts(self) -> Iterator[Conflict]:
        """The path stays in the project unless said otherwise; no variant is of both answers."""
        yield from super().conflicts()
        found = None if self.outside_project else outside("pairs", self.pairs or "")
        if found is not None:
            yield found
        shared = [variant for variant in self.true_variants if variant in self.false_variants]
        if shared:
            yield Conflict(
                "false_variants", shared, "are also variants of TRUE", involves=("true_variants",)
            )
