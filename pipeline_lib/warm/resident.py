"""A process that runs jobs one after the other: a model that one has loaded serves the next.

Forked from the server like any other job's process, but it stays. So do the library's modules, of
which one holds the model (`pipeline_lib.models.opening`), unless a file of theirs has changed.
"""

import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pipeline_lib.warm import process, protocol

CHANNEL = 3  # the first number behind the standard streams
State = tuple[int, int]


def serve_jobs(channel: int) -> NoReturn:
    """Run what comes through a channel until its other end is closed; answer with exit codes."""
    os.dup2(channel, CHANNEL)
    os.closerange(CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    process.forget_library()
    resident = Resident()
    with socket.socket(fileno=CHANNEL) as connection:
        while True:
            try:
                request, streams = protocol.receive_request(connection)
            except (OSError, ValueError):
                os._exit(0)
            code = resident.run(request, streams)
            connection.sendall(protocol.STATUS.pack(code))


@dataclass
class Resident:
    """What a process that stays knows of the library it has loaded."""

    files: dict[str, State] = field(default_factory=dict)
    """Size and time of every file of the library, when it was loaded."""

    def run(self, request: dict[str, Any], streams: Sequence[int]) -> int:
        """Exit code of a job, run here; of its streams and memory only the model stays."""
        process.take_on(request, streams)
        for stream in streams:
            os.close(stream)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if any(_state(file) != state for file, state in self.files.items()):
            process.forget_library()
            self.files.clear()
        _measure_peak_anew()
        code = process.run(request["script"])
        process.flush()
        # a request to stop that comes late must not end the process of the next job
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.files = {file: _state(file) for file in _library_files()} | self.files
        _let_go()
        return code


def _library_files() -> list[str]:
    modules = [m for name, m in sys.modules.items() if name.partition(".")[0] == "pipeline_lib"]
    return [file for module in modules if (file := getattr(module, "__file__", None))]


def _state(file: str) -> State:
    try:
        stat = os.stat(file)
    except OSError:
        return (-1, -1)
    return stat.st_size, stat.st_mtime_ns


def _measure_peak_anew() -> None:
    """The peak memory that a job's log tells is the job's (Linux)."""
    with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as peak:
        peak.write("5")


def _let_go() -> None:
    """Close the job's streams, free what it held; keep its model, if that is as it was loaded."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in range(CHANNEL):
        os.dup2(nothing, target)
    os.close(nothing)
    opening: Any = sys.modules.get("pipeline_lib.models.opening")
    if opening is not None:
        opening.leave_model()
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
