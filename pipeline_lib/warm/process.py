"""Turning a process that is there already into that of a job, and running the job's script."""

import importlib
import os
import random
import runpy
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any


def take_on(request: dict[str, Any], streams: Sequence[int]) -> None:
    """Have the streams, folder, mask, environment and arguments of a job, and fresh randomness."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    script = request["script"]
    sys.argv, sys.orig_argv = [script], [sys.executable, script]
    sys.path[0] = os.path.dirname(script)
    tempfile.tempdir = None  # as TMPDIR of the job says
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def forget_library() -> None:
    """Have the script import the library that lies there now, not the one this process has."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipeline_lib"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def flush() -> None:
    """Write what waits in the standard streams."""
    for written in (sys.stdout, sys.stderr):
        with suppress(OSError):
            written.flush()


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
