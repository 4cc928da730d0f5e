"""What the tests with random damage share: a time limit on what they call."""

import faulthandler
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest


@contextmanager
def _deadline(seconds: float, name: str) -> Iterator[None]:
    """End the process with the name and all stacks if the block takes longer.

    A thread watches, because a loop in a C library answers no signal.
    """

    def late() -> None:
        sys.__stderr__.write(f"\n{name} takes longer than {seconds} s\n")  # type: ignore[union-attr]
        faulthandler.dump_traceback_later(0.1, exit=True, file=sys.__stderr__)

    timer = threading.Timer(seconds, late)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@pytest.fixture
def deadline() -> Callable[[float, str], AbstractContextManager[None]]:
    """A time limit: ``with deadline(seconds, name)``."""
    return _deadline
