"""What a run leaves behind of its jobs: marks, locks, logs, times; all of it is only read."""

import os
import re
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pipeline_lib.jobs.description import Job

TAIL_BYTES = 20_000
_DONE = re.compile(r"^\d\d:\d\d:\d\d INFO done in ([\d.]+) s", re.M)
_ERROR = re.compile(r"^\d\d:\d\d:\d\d ERROR (.*)|^(\w[\w.]*(?:Error|Exception|Exit)\b.*)", re.M)


class Ending(Enum):
    """How the log of a job ends."""

    ABSENT = "no log"
    DONE = "done"
    FAILED = "failed"
    OPEN = "no end"


@dataclass(frozen=True)
class Log:
    """A job's log: how it ends, seconds that the job took if it says so, its error if any."""

    ending: Ending
    seconds: float | None = None
    error: str = ""


def read_log(path: Path) -> Log:
    """What the end of a log says, and a traceback beside it."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return Log(Ending.ABSENT)
    if done := _DONE.findall(text):
        return Log(Ending.DONE, float(done[-1]))
    errors = [first or second for first, second in _ERROR.findall(text)]
    if errors or path.with_name(f"{path.name}.traceback").exists():
        return Log(Ending.FAILED, error=errors[-1] if errors else "")
    return Log(Ending.OPEN)


def seconds_of(job: Job, project: Path) -> float | None:
    """How long a finished job took, from its benchmark or else its log."""
    if job.benchmark:
        try:
            head, row, *_ = (project / job.benchmark).read_text(encoding="utf-8").splitlines()
            return float(dict(zip(head.split("\t"), row.split("\t"), strict=False))["s"])
        except (OSError, ValueError, KeyError):
            pass
    return read_log(project / job.log[0]).seconds if job.log else None


def started_outputs(project: Path) -> dict[str, float]:
    """Outputs of jobs that a run has started and not finished, with the time of their start."""
    folder = project / ".snakemake" / "incomplete"
    found = {}
    for path in _files(folder):
        name = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
        try:
            found[urlsafe_b64decode(name).decode()] = path.stat().st_mtime
        except (ValueError, OSError):  # not a mark, or the job has ended meanwhile
            continue
    return found


def is_locked(project: Path) -> bool:
    """Whether a run holds the folder, or died while it held it."""
    return any((project / ".snakemake" / "locks").glob("*.lock"))


def processes(project: Path) -> list[int] | None:
    """Main processes of Snakemake that work in the folder on this machine; None if unknown."""
    if not sys.platform.startswith("linux"):
        return None
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_run(path, project)]


def _is_run(process: Path, project: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        return Path(os.readlink(process / "cwd")) == project.resolve() and any(
            Path(word).name == "snakemake" for word in words[:4]
        )
    except OSError:  # it has ended, or is another user's
        return False


def _files(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        yield from (Path(base) / name for name in names)
