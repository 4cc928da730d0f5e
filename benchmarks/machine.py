"""What this machine can do, and how much arithmetic a piece of code does."""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def matmul_peak(sizes: tuple[int, ...] = (1024, 2048), seconds: float = 1.0) -> float:
    """Fastest float32 matrix product of some sizes, in GFLOP/s, with the threads torch has."""
    return max(_matmul_rate(size, seconds) for size in sizes)


def _matmul_rate(size: int, seconds: float) -> float:
    a, b = torch.randn(2, size, size)
    best, stop = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def count_gflop(run: Callable[[], object]) -> float:
    """Arithmetic of the matrix products (and attention) of a call, in GFLOP."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 1e9


def timed(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
