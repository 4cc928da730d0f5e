"""A server for jobs of this process's run, which here has no library to load."""

import os
import subprocess
import sys

import pytest

from pipeline_lib.warm import protocol
from pipeline_lib.warm.launch import environment_of_jobs
from tests.project import ROOT
from tests.unit.warm.serving import SERVE, until


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "warm"
    assert protocol.private(found)
    return found


@pytest.fixture
def environment(folder):
    """What jobs of this process's run find; random seeds of hashes must be the server's."""
    ours = environment_of_jobs(ROOT, {**os.environ, "PYTHONPATH": ""})
    return {**os.environ, **ours, protocol.FOLDER_VARIABLE: str(folder), "PYTHONHASHSEED": "0"}


@pytest.fixture
def serving(folder, environment):
    """A server for this process's jobs."""
    main = protocol.process_name(os.getpid())
    command = [sys.executable, "-c", SERVE, str(folder), main]
    running = subprocess.Popen(command, env=environment, start_new_session=True)
    until((folder / protocol.SOCKET).exists)
    yield running
    running.kill()
    running.wait()
