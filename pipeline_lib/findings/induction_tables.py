"""The tables from which the findings on induction drift are told.

Apart from what tells them: the workflow needs the names at every start, and not the figures.
"""

COLUMNS: dict[str, list[str]] = {
    "recall": ["part", "accuracy", "low", "high", "n", "chance"],
    "orders": ["symbols", "n_x", "n_y", "order", "name", "p_x"],
    "drift": [
        "symbols", "n_x", "n_y", "orders", "drift", "mae", "mae_low", "mae_high", "mean", "mass",
        "answered", "noise_floor",
    ],
    "scores": ["layer", "head", "score", "mean", "low", "high", "uniform"],
    "ablation": [
        "kind", "measure", "layer", "component", "metric_before", "effect", "low", "high",
        "of_symbols", "share", "rank", "n",
    ],
    "joint": ["kind", "chosen", "k", "heads", "measure", "value", "low", "high"],
    "agreement": [
        "kind", "measure", "effect", "score", "layers", "rho", "low", "high", "p", "heads",
    ],
    "published": ["quantity", "of", "expected", "found", "within"],
}  # fmt: skip
"""Columns that are read of every table."""
