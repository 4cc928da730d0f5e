"""Figures, tables and pages of the studies beside arithmetic, in the order of the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Catalogue:
    """What a study draws of each of its models."""

    title: str
    """Category of the report."""
    figures: tuple[str, ...]
    """Figures and tables; each is a module of its name in ``pipeline_lib/figures/{study}/``."""
    pages: tuple[str, ...] = ()
    """Pages to browse."""


SISTERS = {
    "bayes": Catalogue("Bayes", ()),
    "induction": Catalogue(
        "Induction drift",
        ("baseline", "attention", "scores", "ablation", "joint", "agreement", "published"),
        ("attention.html", "findings.md"),
    ),
    "odd_one_out": Catalogue("Odd one out", ()),
    "power": Catalogue("Power", ()),
}
