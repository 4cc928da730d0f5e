"""Random generators derived from (seed, stage, ...), so that no stage depends on another."""

import hashlib

import numpy as np


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """Generator for one purpose: the same seed and keys give the same draws on every machine.

    ``keys`` name the purpose, for example ``generator(42, "counterfactuals", "add")``.
    """
    text = "\x1f".join(str(key) for key in keys)
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, entropy])
