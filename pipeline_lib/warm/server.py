"""The process that has the libraries loaded and forks for every job that is handed over.

``python -m pipeline_lib.warm.server FOLDER MAIN`` serves until the process MAIN is gone and no
job runs.
"""

import atexit
import ctypes
import gc
import importlib
import os
import random
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline_lib.warm import protocol

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
        with selectors.DefaultSelector() as selector, self._listening() as listener:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while self.jobs or protocol.is_alive(self.main):
                for key, _ in selector.select(_SECONDS_BETWEEN_LOOKS):
                    if key.fileobj is listener:
                        self._accept(listener, selector)
                    elif key.fileobj is awake:
                        awake.recv(4096)
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
            pid = os.fork()
            if not pid:
                become(request, streams)
            self.jobs[pid] = connection
            selector.register(connection, selectors.EVENT_READ)
        except (OSError, ValueError):
            connection.close()
        finally:
            for stream in streams:
                os.close(stream)

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
        while self.jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            connection = self.jobs.pop(pid)
            if self.stopping.pop(pid, None) is None:
                selector.unregister(connection)
                code = os.waitstatus_to_exitcode(status)
                # as a shell tells it: 128 and the signal
                ended = protocol.STATUS.pack(code if code >= 0 else 128 - code)
                with suppress(OSError):
                    connection.sendall(ended)
            connection.close()


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
        atexit._clear()
        os.setsid()
        die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(request["cwd"])
        os.umask(request["umask"])
        os.environ.clear()
        os.environ.update(request["environment"])
        start_afresh(request["script"])
        code = run(request["script"])
        atexit._run_exitfuncs()
        for written in (sys.stdout, sys.stderr):
            written.flush()
    finally:
        os._exit(code)


def die_with_parent() -> None:
    """Have the kernel (Linux) kill this process when the server dies: nobody would wait for it."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_afresh(script: str) -> None:
    """Forget what belongs to the server: its code, its arguments, its random states."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipeline_lib"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.argv, sys.orig_argv = [script], [sys.executable, script]
    sys.path[0] = os.path.dirname(script)
    tempfile.tempdir = None  # as TMPDIR of the job says
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def run(script: str) -> int:
    """Exit code of a script, which is told to the terminal as the interpreter tells it."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException as error:
        traceback.print_exception(error.with_traceback(_from_script(error, script)))
        return 1
    return 0


def _from_script(error: BaseException, script: str) -> TracebackType | None:
    """The traceback without the calls that led to the script."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != script:
        trace = trace.tb_next
    return trace or error.__traceback__


if __name__ == "__main__":
    load()
    Server(Path(sys.argv[1]), sys.argv[2]).serve()
