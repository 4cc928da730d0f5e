"""A SLURM of one node, started for a test and stopped after it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
GPUS, CPUS = 4, 4
"""What the node pretends to have: starts of jobs overlap, also on a machine of two cores."""


def skip_without_slurm() -> None:
    """Skip the test where SLURM cannot run; fail it where it must (BAGPIPE_NEED_SLURM=1)."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    reason = f"SLURM is not installed ({', '.join(missing)})" if missing else ""
    if not reason and os.geteuid() != 0:
        reason = "a SLURM with pretended GPUs needs root"
    if not reason and not socket.gethostbyname(socket.gethostname()).startswith("127."):
        reason = "this host's name is not 127.0.0.1 (/etc/hosts), and SLURM must not be reachable"
    if reason and os.environ.get("BAGPIPE_NEED_SLURM") == "1":
        pytest.fail(f"{reason}, and BAGPIPE_NEED_SLURM=1")
    if reason:
        pytest.skip(reason)


class Slurm:
    """A running SLURM; its commands find it by the environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str) -> str:
        """What a command of SLURM prints."""
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def jobs(self) -> list[dict[str, str]]:
        """Every job since the start, as scontrol shows it."""
        shown = self.run("scontrol", "--oneliner", "show", "job").splitlines()
        return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in shown if "JobId=" in line]


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """A SLURM with the partitions cpu and gpu, for one test."""
    skip_without_slurm()
    # a short path: sockets have no room for a long one
    parent = Path(tempfile.mkdtemp(prefix="bagpipe-"))
    folder = parent / "slurm"
    try:
        command = [str(HERE / "slurm_up.sh"), str(folder), str(GPUS), str(CPUS)]
        started = subprocess.run(command, capture_output=True, text=True, check=False)
        assert started.returncode == 0, started.stderr
        monkeypatch.setenv("SLURM_CONF", str(folder / "etc" / "slurm.conf"))
        yield Slurm(folder)
    finally:
        subprocess.run([str(HERE / "slurm_down.sh"), str(folder)], check=True)
        shutil.rmtree(parent)
