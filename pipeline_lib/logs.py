"""Logs of jobs: header, progress, and errors as a user wants to see them."""

import importlib.metadata
import logging
import platform
import re
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from pipeline_lib.errors import BagpipeError

T = TypeVar("T")

LIBRARIES = ("torch", "transformers", "numpy", "pandas", "h5py", "snakemake")
SECONDS_BETWEEN_LINES = 5.0

logger = logging.getLogger("pipeline_lib")


@contextmanager
def job(log: str | Path, **facts: Any) -> Iterator[None]:
    """Run a job with its log file: header, messages, warnings, progress, errors.

    Warnings and errors also go to stderr. A BagpipeError ends the process with exit code 1 and is
    shown as its message; its traceback goes to a file beside the log (``.traceback``). Other
    exceptions are logged with their traceback and go on. ``facts`` are added to the header.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    trace = path.with_name(f"{path.name}.traceback")
    trace.unlink(missing_ok=True)
    with _handlers(path):
        logger.info(run_header(**facts))
        started = time.monotonic()
        try:
            yield
        except BagpipeError as error:
            trace.write_text(traceback.format_exc(), encoding="utf-8")
            logger.error("%s\n  Trace: %s", error, trace)
            raise SystemExit(1) from error
        except Exception:
            logger.info("failed", exc_info=True)  # stderr gets it from the interpreter
            raise
        seconds, peak = time.monotonic() - started, peak_memory() / 1e6
        logger.info("done in %.1f s, peak memory %.0f MB", seconds, peak)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    # Linux counts the process that this one was forked from into ru_maxrss, but not into VmHWM
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text() if status.exists() else "", re.M)
    if found:
        return 1024 * int(found[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def progress(
    items: Iterable[T], description: str, total: int | None = None, unit: str = "it"
) -> Iterator[T]:
    """The items, with a progress bar on a terminal and a line every few seconds in the log."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = tqdm(items, desc=description, total=total, unit=unit, leave=False, disable=_is_quiet())
    started = shown = time.monotonic()
    done = -1
    for done, item in enumerate(bar):
        yield item
        now = time.monotonic()
        if now - shown >= SECONDS_BETWEEN_LINES:
            shown = now
            logger.info(_progress_line(description, done + 1, total, unit, now - started))
    seconds = time.monotonic() - started
    logger.info("%s: %d %s in %.1f s", description, done + 1, unit, seconds)


def run_header(**facts: Any) -> str:
    """Time, versions of Python and libraries, revision of the code, given facts; no host names."""
    versions = {"python": platform.python_version(), **_versions()}
    lines = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "revision": git_revision(),
        **facts,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def git_revision(folder: Path | None = None) -> str:
    """Revision of the code, with ``-dirty`` for uncommitted changes; "none" outside git."""
    folder = folder or Path(__file__).resolve().parents[1]
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return found.stdout.strip() or "none"


@contextmanager
def _handlers(path: Path) -> Iterator[None]:
    """Messages to the log file, warnings and errors also to stderr, for the time of a job."""
    root, level = logging.getLogger(), logging.getLogger().level
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_terminal = logging.StreamHandler(sys.stderr)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    to_terminal.setLevel(logging.WARNING)
    root.setLevel(logging.INFO)
    for handler in (to_file, to_terminal):
        root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        for handler in (to_file, to_terminal):
            root.removeHandler(handler)
            handler.close()


def _progress_line(name: str, done: int, total: int | None, unit: str, seconds: float) -> str:
    rate = done / seconds
    if not total:
        return f"{name}: {done} {unit}, {rate:.3g} {unit}/s"
    speed, left = f"{rate:.3g} {unit}/s", f"{(total - done) / rate:.0f} s left"
    return f"{name}: {done}/{total} {unit} ({done / total:.0%}), {speed}, {left}"


def _is_quiet() -> bool:
    return not sys.stderr.isatty()


def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
