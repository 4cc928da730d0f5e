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
    "bayes": Catalogue(
        "Bayes",
        (
            "scores",
            "answers",
            "lens_layers",
            "lens_errors",
            "probe_layers",
            "probe_predictions",
            "top_heads",
            "heads",
            "head_positions",
            "steering",
        ),
        ("findings.md",),
    ),
    "induction": Catalogue(
        "Induction drift",
        ("baseline", "attention", "scores", "ablation", "joint", "agreement", "published"),
        ("attention.html", "findings.md"),
    ),
    "odd_one_out": Catalogue(
        "Odd one out",
        (
            "baselines",
            "necessity",
            "necessity_parts",
            "sufficiency",
            "hydra",
            "paths",
            "retrieval",
            "generality",
            "subspace",
            "neurons",
        ),
        ("findings.md",),
    ),
    "power": Catalogue(
        "Power",
        (
            "table_baselines",
            "told_apart",
            "pair_residual",
            "regions_residual",
            "pair_mlp",
            "regions_mlp",
            "pair_heads",
            "regions_heads",
        ),
        ("findings.md",),
    ),
}
