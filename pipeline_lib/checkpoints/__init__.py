"""Checkpoints: which heuristics a model has already, and how it works with them, over training."""
