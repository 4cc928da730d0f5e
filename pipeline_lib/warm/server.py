"""The process that has the libraries loaded and forks for every job that is handed over.

``python -m pipeline_lib.warm.server FOLDER MAIN`` serves until the process MAIN is gone and no
job runs.
"""

import atexit
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_lib.warm import process, protocol, resident

LIBRARIES = (
    "numpy", "scipy.optimize", "scipy.stats", "pandas", "h5py", "torch",
    "transformers.modeling_utils", "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "jaxtyping", "tqdm",
    "snakemake.script",
)  # fmt: skip
"""What jobs import that is not this project's; one that is missing is left out."""
LOADED_UNDER = protocol.loaded_under(os.environ)
"""What counts of this process's environment, before the libraries add to it."""
SECONDS_TO_STOP = 5.0
"""Between asking a job to stop and killing it."""
_SECONDS_BETWEEN_LOOKS = 1.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def load(libraries: Sequence[str] = LIBRARIES) -> None:
    """Import the libraries, and keep what they made out of later collections of garbage."""
    for name in libraries:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.stderr.write(f"not loaded: {name}\n")
    gc.collect()
    gc.freeze()  # else the collector of every job would touch, and so copy, all pages


@dataclass
class Server:
    """Jobs by their process, each with the connection that waits for it."""

    folder: Path
    main: str
    jobs: dict[int, socket.socket] = field(default_factory=dict)
    residents: dict[int, socket.socket] = field(default_factory=dict)
    """Channels to processes that stay; one that is not among the jobs has nothing to do."""
    stopping: dict[int, float] = field(default_factory=dict)
    """When jobs that nobody waits for any more were asked to stop."""

    def serve(self) -> None:
        """Answer until the run's main process is gone and nothing runs."""
        # a signal that has a handler wakes the selector
        awake, wakes = socket.socketpair()
        for end in (awake, wakes):
            end.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # where all of an allocation is asked to stop, jobs have time to: this ends after them
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with selectors.DefaultSelector() as selector, self._listening() as listener:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while self.jobs or protocol.is_alive(self.main):
                for key, _ in selector.select(_SECONDS_BETWEEN_LOOKS):
                    if key.fileobj is listener:
                        self._accept(listener, selector)
                    elif key.fileobj is awake:
                        awake.recv(4096)
                    elif key.fileobj in self.residents.values():
                        self._answered(key.fileobj, selector)
                    else:
                        self._closed(key.fileobj, selector)
                self._collect(selector)
                self._kill_the_late()

    def _listening(self) -> socket.socket:
        """The socket under its name, once it can be connected to."""
        path = self.folder / protocol.SOCKET
        early = path.with_suffix(".new")
        early.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(early))
        listener.listen(64)
        early.rename(path)
        return listener

    def _accept(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        connection, _ = listener.accept()
        connection.settimeout(10)
        streams: list[int] = []
        try:
            request, streams = protocol.receive_request(connection)
            if not fits(request):
                connection.sendall(protocol.REFUSED)
                connection.close()
                return
            connection.sendall(protocol.STARTED)
            if request["resident"]:
                pid = self._hand_to_resident(request, streams, selector)
            elif not (pid := os.fork()):
                become(request, streams)
            self.jobs[pid] = connection
            selector.register(connection, selectors.EVENT_READ)
        except (OSError, ValueError):
            connection.close()
        finally:
            for stream in streams:
                os.close(stream)

    def _hand_to_resident(
        self, request: dict[str, Any], streams: Sequence[int], selector: selectors.BaseSelector
    ) -> int:
        """Number of the process that stays and has got the job: one without a job, or a new one."""
        pid = next((pid for pid in self.residents if pid not in self.jobs), 0)
        if not pid:
            ours, theirs = socket.socketpair()
            if not (pid := os.fork()):
                stay(theirs)
            theirs.close()
            self.residents[pid] = ours
            selector.register(ours, selectors.EVENT_READ)
        protocol.send_request(self.residents[pid], request, streams)
        return pid

    def _answered(self, channel: Any, selector: selectors.BaseSelector) -> None:
        """A process that stays has done its job, or is gone (then `_collect` tells of it)."""
        pid = next(pid for pid, ours in self.residents.items() if ours is channel)
        try:
            status = protocol.receive(channel, protocol.STATUS.size)
        except OSError:
            selector.unregister(channel)
            self.residents.pop(pid).close()
            return
        self._tell(pid, status, selector)

    def _tell(self, pid: int, status: bytes, selector: selectors.BaseSelector) -> None:
        """Tell who waits for a job that it has ended, and how."""
        connection = self.jobs.pop(pid)
        if self.stopping.pop(pid, None) is None:
            selector.unregister(connection)
            with suppress(OSError):
                connection.sendall(status)
        connection.close()

    def _closed(self, connection: Any, selector: selectors.BaseSelector) -> None:
        """Whoever waited for a job is gone: the job is asked to stop, with all it started."""
        selector.unregister(connection)
        for pid, waiting in self.jobs.items():
            if waiting is connection:
                signal_group(pid, signal.SIGTERM)
                self.stopping[pid] = time.monotonic()

    def _kill_the_late(self) -> None:
        for pid, asked in self.stopping.items():
            if time.monotonic() - asked > SECONDS_TO_STOP:
                signal_group(pid, signal.SIGKILL)

    def _collect(self, selector: selectors.BaseSelector) -> None:
        """Tell those who wait for jobs that have ended how they ended."""
        while self.jobs or self.residents:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self.residents:
                selector.unregister(self.residents[pid])
                self.residents.pop(pid).close()
            if pid in self.jobs:
                code = os.waitstatus_to_exitcode(status)
                # as a shell tells it: 128 and the signal
                ended = protocol.STATUS.pack(code if code >= 0 else 128 - code)
                self._tell(pid, ended, selector)


def signal_group(pid: int, what: signal.Signals) -> None:
    """Send a signal to a job and to all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, what)


def fits(request: dict[str, Any]) -> bool:
    """Whether a job would load the libraries as they are loaded here."""
    is_same = protocol.loaded_under(request["environment"]) == LOADED_UNDER
    return is_same and request["python"] == sys.executable


def become(request: dict[str, Any], streams: Sequence[int]) -> None:
    """In the fork: turn into the job's process, run its script, end with its exit code."""
    code = 1
    try:
        leave_server()
        process.take_on(request, streams)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        process.forget_library()
        code = process.run(request["script"])
        atexit._run_exitfuncs()
        process.flush()
    finally:
        os._exit(code)


def stay(channel: socket.socket) -> None:
    """In the fork: run jobs that come through a channel, until the server closes it."""
    try:
        leave_server()
        resident.serve_jobs(channel.fileno())
    finally:
        os._exit(1)


def leave_server() -> None:
    """In a fork: be a process of its own, without what belongs to the server."""
    atexit._clear()
    os.setsid()
    die_with_parent()
    signal.set_wakeup_fd(-1)
    for changed in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(changed, signal.SIG_DFL)


def die_with_parent() -> None:
    """Have the kernel (Linux) kill this process when the server dies: nobody would wait for it."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    load()
    Server(Path(sys.argv[1]), sys.argv[2]).serve()
