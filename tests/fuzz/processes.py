"""Damage in a process of its own: it may crash or never end without taking the tests along."""

import os
import subprocess
import sys

from tests.project import ROOT

SECONDS = 300
"""A whole run takes a twentieth of it; after it, something hangs."""


def in_its_own_process(module: str, *arguments: object) -> list[str]:
    """Run a module of the tests: the names of its cases, which it prints as it goes.

    Fails where it does, and where it hangs, and says at which.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        last = (error.stdout or b"").decode().split()[-1:]
        raise AssertionError(f"hangs at {last}") from None
    assert done.returncode == 0, f"at {done.stdout.split()[-1:]}: {done.stderr[-4000:]}"
    return done.stdout.split()
