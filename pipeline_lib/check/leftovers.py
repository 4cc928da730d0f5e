"""What killed runs leave: temporary files, and the lock of the working folder."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.store.disk import host_name

TEMPORARY = re.compile(r"\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<process>\d+)\.part")


@dataclass(frozen=True)
class Leftover:
    """A temporary file and what is known of the process that wrote it."""

    path: Path
    owner: str
    """``gone``, ``running`` (its number lives), or ``elsewhere`` (on another machine)."""


def find_leftovers(folders: Sequence[Path]) -> list[Leftover]:
    """Temporary files below the folders, in order."""
    found = (path for folder in folders for path in Path(folder).rglob(".*.part"))
    return [Leftover(path, _owner(path.name)) for path in sorted(found)]


def remove_leftovers(leftovers: Sequence[Leftover]) -> list[Leftover]:
    """Delete the files whose process is gone; returns what is left."""
    for leftover in leftovers:
        if leftover.owner == "gone" and _owner(leftover.path.name) == "gone":
            leftover.path.unlink(missing_ok=True)
    return [leftover for leftover in leftovers if leftover.path.exists()]


def _owner(name: str) -> str:
    found = TEMPORARY.fullmatch(name)
    if found is None or found["host"] != host_name():
        return "elsewhere"
    try:
        os.kill(int(found["process"]), 0)
    except (ProcessLookupError, OverflowError):
        return "gone"
    except PermissionError:
        return "running"
    return "running"


def lock_state(working: Path) -> str:
    """``free``, ``stale`` (locked, and no run of this machine is alive there) or ``running``."""
    if not any((working / ".snakemake" / "locks").glob("*.lock")):
        return "free"
    return "running" if any(_runs_in(working)) else "stale"


def _runs_in(working: Path) -> Iterator[int]:
    """Processes of Snakemake on this machine whose working folder this is."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
            if b"snakemake" in words and Path(os.readlink(place / "cwd")) == working.resolve():
                yield int(place.name)
        except OSError:
            continue
