"""Finished pieces of a long stage, so that one that dies loses minutes and not hours.

A stage computes in loops whose steps give small arrays. Within `resumable`, steps that are done are
written beside the stage's output from time to time; the next attempt at the same work reads them
and goes on behind them. Elsewhere (in a notebook, say) the same loops compute and store nothing.
What counts as the same work is a hash of parameters, code, library versions and inputs. Loops are
known by their order in the stage and steps by their number, so neither may depend on chance or on
the memory that is free.
"""

import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError, DiskError

T = TypeVar("T")
Arrays = tuple[np.ndarray, ...]

MINUTES_VARIABLE = "BAGPIPE_RESUME_MINUTES"
"""Environment: minutes of work that a stage may lose; 0 keeps every step at once."""
DEFAULT_MINUTES = 5.0
KIND = "pieces"
SUFFIX = ".pieces"
MOST_WAITING = 1 << 30
"""Bytes of finished steps that wait in memory to be written."""
HASHED_WHOLE = 1 << 26
"""Other inputs than artifacts are known by their content up to this size (bytes), else by time."""

logger = logging.getLogger("pipeline_lib")


@contextmanager
def resumable(job: Any) -> Iterator[None]:
    """Keep the finished steps of a job until it ends well; start behind those of its last attempt.

    ``job`` has the input, output, params and wildcards of a rule. What was kept goes with the end
    of the block, or stays where it ends with an error or a request to stop (SIGTERM), after which
    nothing is lost. Steps of other work on the same output are deleted.
    """
    output = Path(job.output[0])
    folder = output.with_name(f".{output.name}{SUFFIX}")
    facts = store.provenance(job.wildcards, job.params)
    pieces = Pieces(folder / work_key(facts, [str(path) for path in job.input]), _seconds())
    token = _SCOPE.set(Scope(pieces))
    try:
        with _stopping_by_exit():
            yield
    except BaseException:
        pieces.flush()
        raise
    finally:
        _SCOPE.reset(token)
    shutil.rmtree(folder, ignore_errors=True)


def work_key(facts: Mapping[str, Any], inputs: Sequence[str]) -> str:
    """Hash (16 hex digits) of what decides a stage's numbers: facts, files, processor, threads."""
    known = {
        "facts": facts,
        "inputs": [(path, _identity(Path(path))) for path in inputs],
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "devices": _devices(),
    }
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _identity(path: Path) -> str:
    if path.is_dir():
        return "folder"
    if path.suffix == ".h5":
        with suppress(ArtifactError), store.open_artifact(path, None) as artifact:
            return artifact.digest
    stat = path.stat()
    if stat.st_size > HASHED_WHOLE:
        return f"{stat.st_size} {stat.st_mtime_ns}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _devices() -> list[str]:
    """Names of the GPUs, where torch is loaded and has some."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]


def _seconds() -> float:
    return 60 * float(os.environ.get(MINUTES_VARIABLE) or DEFAULT_MINUTES)


@contextmanager
def _stopping_by_exit() -> Iterator[None]:
    """A request to stop ends the block as an exception does, so that steps can be kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass
class Pieces:
    """Steps of one piece of work in a folder, by their names."""

    folder: Path
    seconds: float
    """Between two writings."""
    _files: dict[str, Path] = field(default_factory=dict)
    _waiting: dict[str, Arrays] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for other in self.folder.parent.glob("*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)
        for path in sorted(self.folder.glob("*.h5")):
            try:
                store.verify_artifact(path, KIND)
                with store.open_artifact(path, KIND) as artifact:
                    self._files |= dict.fromkeys(artifact.file, path)
            except ArtifactError as error:
                logger.warning("pieces of an earlier attempt are left out: %s", error)
                path.unlink()
        if self._files:
            logger.info("%d steps of an earlier attempt are taken up", len(self._files))

    def get(self, name: str) -> Arrays | None:
        """The arrays of a step, if an earlier attempt kept it."""
        if name not in self._files:
            return None
        with store.open_artifact(self._files[name], KIND) as artifact:
            count = len(artifact.file[name])
            return tuple(artifact.read(f"{name}/{number}") for number in range(count))

    def put(self, name: str, arrays: Arrays) -> None:
        """Keep a step: in memory at first, on disk when it is time."""
        self._waiting[name] = arrays
        size = sum(array.nbytes for kept in self._waiting.values() for array in kept)
        if self.is_due() or size > MOST_WAITING:
            self.flush()

    def is_due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._written >= self.seconds

    def flush(self) -> None:
        """Write what waits; a disk that cannot hold it costs a second attempt, not this one."""
        if self._waiting:
            arrays = {
                f"{name}/{number}": store.Array(array, tuple(f"axis{n}" for n in range(array.ndim)))
                for name, kept in self._waiting.items()
                for number, array in enumerate(kept)
            }
            numbers = [int(path.name.partition(".")[0]) for path in self.folder.glob("*.h5")]
            path = self.folder / f"{max(numbers, default=-1) + 1:06d}.{os.getpid()}.h5"
            try:
                store.write_artifact(path, KIND, arrays, coords={}, provenance={})
            except DiskError as error:
                logger.warning("finished steps are not kept: %s", error)
            self._waiting.clear()
        self._written = time.monotonic()


@dataclass
class Scope:
    """Where loops begin: in the stage, or in a step of another loop."""

    pieces: Pieces
    path: str = ""
    _begun: int = 0

    def begin(self) -> "Loop":
        """The next loop in here."""
        self._begun += 1
        return Loop(self.pieces, f"{self.path}{self._begun}")


_SCOPE: ContextVar[Scope | None] = ContextVar("pieces", default=None)


@dataclass(frozen=True)
class Loop:
    """A loop of a stage; without pieces nothing of it is kept."""

    pieces: Pieces | None = None
    name: str = ""

    @classmethod
    def begin(cls) -> "Loop":
        """The loop that begins here, in the order of the stage."""
        scope = _SCOPE.get()
        return cls() if scope is None else scope.begin()

    def part(self, name: str) -> "Loop":
        """A loop of this one's own, whose name says which rows it is about."""
        return Loop(self.pieces, f"{self.name}:{name}")

    def kept(self, step: int) -> Arrays | None:
        """What an earlier attempt kept of a step."""
        return None if self.pieces is None else self.pieces.get(f"{self.name}.{step}")

    def is_due(self) -> bool:
        """Whether what a loop has should be kept now."""
        return self.pieces is not None and self.pieces.is_due()

    def keep(self, step: int, arrays: Arrays) -> None:
        """Keep a step, in place of what was kept of it before."""
        if self.pieces is not None:
            self.pieces.put(f"{self.name}.{step}", arrays)

    def run(self, step: int, compute: Callable[[], Arrays]) -> Arrays:
        """Compute a step and keep it; loops within are its own."""
        if self.pieces is None:
            return compute()
        token = _SCOPE.set(Scope(self.pieces, f"{self.name}.{step}-"))
        try:
            found = compute()
        finally:
            _SCOPE.reset(token)
        self.pieces.put(f"{self.name}.{step}", found)
        return found


def packed(table: pd.DataFrame) -> np.ndarray:
    """A table as bytes, to be kept as one of a step's arrays; the index is left out."""
    columns = {str(name): table[name].tolist() for name in table}
    dtypes = {str(name): str(dtype) for name, dtype in table.dtypes.items()}
    text = json.dumps({"columns": columns, "dtypes": dtypes})
    return np.frombuffer(text.encode(), dtype=np.uint8)


def unpacked(array: np.ndarray) -> pd.DataFrame:
    """The table that `packed` made an array of, value for value."""
    found = json.loads(array.tobytes())
    return pd.DataFrame(found["columns"]).astype(found["dtypes"])


def resumed(items: Iterable[T], compute: Callable[[T], Arrays]) -> Iterator[tuple[T, Arrays]]:
    """Every item with what ``compute`` gives for it, or gave for it in an earlier attempt.

    Items must be the same ones in every attempt. The arrays must be all that a step does.
    """
    loop = Loop.begin()
    for step, item in enumerate(items):
        found = loop.kept(step)
        yield item, (loop.run(step, partial(compute, item)) if found is None else found)
