"""Stages that die: two attempts at the same work, the second of which goes on behind the first."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_lib.pieces import MINUTES_VARIABLE, Pieces, resumable


class DiedError(Exception):
    """What ends a first attempt."""


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A job whose every finished step is kept at once."""
    monkeypatch.setenv(MINUTES_VARIABLE, "0")
    output = [str(tmp_path / "stage" / "out.h5")]
    return SimpleNamespace(input=[], output=output, params={"code": "c"}, wildcards={})


@pytest.fixture
def two_attempts(stage, monkeypatch) -> Callable[..., Any]:
    """What the second of two attempts gives; the first dies after some steps.

    Fails where the second does a step again that the first kept, unless steps are ``replaced`` by
    later ones, and where it has none left to do.
    """

    def attempt(work: Callable[[], Any], kept: list[str], most: int | None) -> Any:
        put = Pieces.put

        def counted(pieces, name, arrays):
            put(pieces, name, arrays)
            kept.append(name)
            if len(kept) == most:
                raise DiedError

        with monkeypatch.context() as patched, resumable(stage):
            patched.setattr(Pieces, "put", counted)
            return work()

    def both(work: Callable[[], Any], steps: int, *, replaced: bool = False) -> Any:
        first: list[str] = []
        again: list[str] = []
        with pytest.raises(DiedError):
            attempt(work, first, steps)
        found = attempt(work, again, None)
        assert replaced or (again and not set(first) & set(again))
        return found

    return both
