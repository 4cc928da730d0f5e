"""The side of a job: hand its script over to the run's server, wait, end with its exit code.

Imports nothing beyond the standard library: it runs before anything else of a job's process.
"""

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.warm import protocol

COLD_JOBS = 3
"""Jobs that start by themselves: a run of fewer would only lose by a server."""
OPENS_A_MODEL = b"open_model("
"""What is written in the scripts of jobs that can share a model."""
SECONDS_TO_LOAD = 120.0
"""That a server may take to load its libraries before jobs go on without it."""


def take_over() -> None:
    """Run this process's script in the server, and end; return where it must run here.

    Does nothing but for a script of Snakemake in a run with warm starts.
    """
    folder = os.environ.get(protocol.FOLDER_VARIABLE, "off")
    script = job_script(sys.orig_argv)
    if folder == "off" or script is None or not protocol.private(Path(folder)):
        return
    if shares_a_model(script):
        start_server(Path(folder))
        wait_for(Path(folder) / protocol.SOCKET)
    code = run_in_server(Path(folder), script)
    if code is None:
        start_server_if_due(Path(folder))
        return
    os._exit(code)


def job_script(command: Sequence[str]) -> str | None:
    """The script of a command that Snakemake starts for a `script:` directive; None for others."""
    if len(command) != 2:
        return None
    path = Path(command[1])
    is_script = path.parent.name == "scripts" and path.parent.parent.name == ".snakemake"
    return command[1] if is_script and path.suffix == ".py" else None


def run_in_server(folder: Path, script: str) -> int | None:
    """Exit code of a script that the server runs; None where there is no server for it.

    Ends the job with code 1 and a message where the server dies while it runs.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(folder / protocol.SOCKET))
            request = {
                "script": script, "python": sys.executable, "cwd": os.getcwd(),
                "umask": umask(), "environment": dict(os.environ),
                "resident": shares_a_model(script),
            }  # fmt: skip
            protocol.send_request(connection, request)
            if protocol.receive(connection, 1) != protocol.STARTED:
                return None
        except OSError:
            return None
        try:
            return int(protocol.STATUS.unpack(protocol.receive(connection, 4))[0])
        except OSError:
            sys.stderr.write("The process that ran this job has died; nothing of it is kept.\n")
            return 1


def shares_a_model(script: str) -> bool:
    """Whether a job runs where an earlier one may have left its model."""
    wanted = os.environ.get(protocol.SHARE_VARIABLE) == "1"
    return wanted and OPENS_A_MODEL in Path(script).read_bytes()


def wait_for(path: Path) -> None:
    """Return when a file is there, or after `SECONDS_TO_LOAD`."""
    end = time.monotonic() + SECONDS_TO_LOAD
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)


def umask() -> int:
    """Mask of permissions of the process, which can only be told by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def start_server_if_due(folder: Path) -> None:
    """Count this job, and start the server, which others will use, after the first few."""
    with (folder / protocol.COUNT).open("ab") as counted:
        counted.write(b".")
        counted.flush()
        if counted.tell() < COLD_JOBS:
            return
    start_server(folder)


def start_server(folder: Path) -> None:
    """Start the server, unless there is one."""
    main = os.environ.get(protocol.MAIN_VARIABLE, "")
    with (folder / protocol.LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # there is one, or it is just starting
        with (folder / protocol.LOG).open("ab") as log:
            # keeps the lock as long as it lives
            subprocess.Popen(
                [sys.executable, "-m", "pipeline_lib.warm.server", str(folder), main],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
