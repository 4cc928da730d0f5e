"""Settings of the study induction."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from pipeline_lib.config.base import Conflict, Items, Listed, NonEmpty, OfTwo
from pipeline_lib.config.study import StudySection

Symbol = Annotated[str, Field(pattern=r"^\S+$", max_length=40, examples=["X"])]
Pair = Annotated[Items[Symbol], OfTwo]
HowMany = Annotated[int, Field(ge=1, le=12)]
Counts = Annotated[Listed[HowMany], OfTwo]


class InductionStudy(StudySection):
    """Do induction heads make a counter order-sensitive (docs/induction.md)."""

    symbols: Pair = ("X", "Y")
    """The two symbols; each must be one token after a space."""
    other_symbols: Items[Pair] = (
        ("A", "B"), ("C", "D"), ("E", "F"), ("G", "H"), ("K", "L"), ("M", "N"), ("P", "Q"),
        ("R", "S"), ("T", "U"), ("V", "W"),
    )  # fmt: skip
    """Further pairs of symbols: effects of single heads are means over all pairs."""
    counts: Annotated[Items[Counts], NonEmpty] = (
        (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (4, 2), (2, 4), (6, 3), (3, 6),
    )  # fmt: skip
    """Numbers of both symbols whose orders are run; three and three always are."""
    max_orders: Annotated[int, Field(ge=2, le=10_000)] = 60
    """Orders of other counts than three and three; drawn at random where there are more."""
    prepend_bos: bool = True
    """Puts the token that begins a text first where the tokenizer does not."""
    sequences: Annotated[int, Field(ge=2, le=10_000)] = 50
    """Sequences of repeated random tokens behind the induction scores."""
    repeated_tokens: Annotated[int, Field(ge=2, le=1_000)] = 20
    """Random tokens of a sequence, which come twice."""
    random_sets: Annotated[int, Field(ge=2, le=1_000)] = 40
    """Random sets of k heads beside the k strongest, for every k."""
    set_sizes: Annotated[int, Field(ge=4, le=10_000)] = 64
    """Values of k at most: 0 to all heads, ever wider apart where heads are more."""

    def conflicts(self) -> Iterator[Conflict]:
        """A pair of symbols is studied once."""
        yield from super().conflicts()
        if self.symbols in self.other_symbols:
            yield Conflict(
                "other_symbols",
                [list(pair) for pair in self.other_symbols],
                f"holds the pair {', '.join(self.symbols)} of symbols",
                involves=("symbols",),
            )
