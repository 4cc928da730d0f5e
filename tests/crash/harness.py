"""Kill a run again and again, resume it, and compare what it leaves with a run left alone.

    python -m tests.crash.harness --times 50 --seed 1 --folder FOLDER

makes both runs at test size in FOLDER (about twenty minutes on two cores) and prints a table. What
is killed, always with SIGKILL: the main process, its whole process group (as when a node dies), one
job, or a process between writing a file and giving it its name.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from pipeline_lib.store.arrays import content_digest
from tests.project import TEST_SIZE, copy_project, said, snakemake

KINDS = ("main", "group", "job", "rename")
RESUMED = "crash.yaml"
"""Config file of the runs that are killed: every step of a long stage is kept at once."""
RESULTS = {".h5", ".csv", ".json", ".md", ".png"}
NOT_COMPARED = {"planted.json", "download.json"}
KILLER = """
import os, random, signal
chance = float(os.environ.get("CRASH_CHANCE", 0))
replace, draw = os.replace, random.SystemRandom().random
def replace_or_die(source, target, **options):
    if str(source).endswith(".part") and draw() < chance:
        with open(os.environ["CRASH_NOTES"], "a") as notes:
            notes.write(f"{target}\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, target, **options)
if chance:
    os.replace = replace_or_die
"""
"""What Python runs first in every process of a run: some die instead of renaming a file."""


@dataclass
class Harness:
    """A run that is killed, the digests it must reach, and what was done to it."""

    project: Path
    expected: dict[str, str]
    rng: random.Random
    targets: Sequence[str] = ()
    longest: float = 20.0
    """Seconds from a start to a kill, at most."""
    kills: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    problems: list[str] = field(default_factory=list)

    def run_to_the_end(self, times: int) -> None:
        """Kill and resume so many times, then let the run finish, and compare."""
        (self.project / RESUMED).write_text("resume_minutes: 0\n")
        wanted = self.resumed + times
        while self.resumed < wanted and self._run_and_kill():
            self._compare("after a kill", complete=False)
        result = snakemake(self.project, *self.targets, configs=(*TEST_SIZE, RESUMED))
        if result.returncode:
            self.problems.append(f"the last run failed:\n{said(result)[-3000:]}")
        self._compare("at the end", complete=True)
        left = snakemake(self.project, "-n", *self.targets, configs=(*TEST_SIZE, RESUMED))
        if "Nothing to be done" not in said(left):
            self.problems.append(f"the finished run would run again:\n{said(left)[-3000:]}")

    def _run_and_kill(self) -> bool:
        """Start the run and kill something of it; False when it ended before."""
        kind, before = self.rng.choice(KINDS), sum(self.kills.values())
        running = self._start(chance=0.15 if kind == "rename" else 0.0)
        deadline = time.monotonic() + self.rng.uniform(4.0, self.longest)
        while time.monotonic() < deadline and running.poll() is None:
            time.sleep(0.05)
        is_alive = running.poll() is None
        if kind == "rename":
            self._count_renames()
        elif is_alive:
            self._kill(kind, running)
        if kind in ("job", "rename") and running.poll() is None:
            # the run goes on without the job, and stops where its result is needed
            if self.rng.random() < 0.5:
                running.send_signal(signal.SIGINT)
            running.wait()
            if kind == "rename":
                self._count_renames()
        running.wait()
        snakemake(self.project, "--unlock", configs=(*TEST_SIZE, RESUMED))
        self.resumed += sum(self.kills.values()) > before
        return is_alive or running.returncode != 0

    def _start(self, chance: float) -> subprocess.Popen[bytes]:
        start = self.project / "crash_start"
        start.mkdir(exist_ok=True)
        (start / "sitecustomize.py").write_text(KILLER)
        environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(start), "CRASH_CHANCE": str(chance),
            "CRASH_NOTES": str(self.project / "crash_notes"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *self.targets]
        command += ["--configfile", *TEST_SIZE, RESUMED]
        with (self.project / "crash.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.project, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _kill(self, kind: str, running: subprocess.Popen[bytes]) -> None:
        if kind == "main":
            running.kill()
        elif kind == "group":
            for pid in [running.pid, *descendants(running.pid)]:
                kill(pid)
        else:
            jobs = jobs_of(running.pid)
            if not jobs:
                return
            kill(self.rng.choice(jobs))
        self.kills[kind] += 1

    def _count_renames(self) -> None:
        notes = self.project / "crash_notes"
        if notes.exists():
            self.kills["rename"] += len(notes.read_text().splitlines())
            notes.unlink()

    def _compare(self, when: str, *, complete: bool) -> None:
        """Whatever has its final name must be what the other run has under it."""
        found = digests(self.project)
        for name, digest in found.items():
            if name in self.expected and digest != self.expected[name]:
                self.problems.append(f"{when}: {name} differs")
        wanted = self.expected if not self.targets else self.targets
        missing = [name for name in wanted if name not in found]
        if complete and missing:
            self.problems.append(f"{when}: {len(missing)} files are missing, {missing[:3]}")


def digests(project: Path) -> dict[str, str]:
    """SHA-256 of the content of every result below data/ and figs/, by path."""
    found = {}
    for folder in ("data", "figs"):
        for path in sorted((project / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(project).parts)
            if not hidden and path.is_file() and path.suffix in RESULTS - NOT_COMPARED:
                found[str(path.relative_to(project))] = digest_of(path)
    return found


def digest_of(path: Path) -> str:
    """Of an HDF5 file that of its datasets, which must be the recorded one; else of its bytes."""
    if path.suffix != ".h5":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        with h5py.File(path, "r", locking=False) as file:
            digest = content_digest(file)
            return digest if digest == file.attrs["digest"] else "damaged"
    except (OSError, KeyError):
        return "damaged"


def kill(pid: int) -> None:
    """SIGKILL, if the process is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """All processes of a run: below its main process, and its warm server with what that forked."""
    parents = {child: parent for child, parent, _ in processes()}
    servers = [
        child
        for child, _, command in processes()
        if "pipeline_lib.warm.server" in command and command.split()[-1].startswith(f"{pid}:")
    ]
    found, waiting = [], [pid, *servers]
    while waiting:
        parent = waiting.pop()
        below = [child for child, above in parents.items() if above == parent]
        found += below
        waiting += below
    return [*servers, *found]


def jobs_of(pid: int) -> list[int]:
    """Processes that run a script of a rule."""
    server = {child for child, _, command in processes() if "pipeline_lib.warm.server" in command}
    parents = {child: parent for child, parent, _ in processes()}
    ours = descendants(pid)
    scripts = {child for child, _, command in processes() if ".snakemake/scripts" in command}
    return [child for child in ours if child in scripts or parents.get(child) in server]


def processes() -> Iterator[tuple[int, int, str]]:
    """Every process: its number, its parent's, its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
        yield int(folder.name), int(status[1]), command.strip()


def main() -> int:
    """Kill and resume runs so many times; exit code 1 after any problem."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50, help="that a run is killed and resumed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds from start to kill")
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder")
    parser.add_argument("--finished", type=Path, help="a finished run at test size to compare with")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    finished = options.finished
    if finished is None:
        finished = copy_project(options.folder / "left_alone")
        result = snakemake(finished)
        assert result.returncode == 0, said(result)
    harness = Harness(
        Path(), digests(finished), random.Random(options.seed), longest=options.longest
    )
    started, round_number = time.monotonic(), 0
    while harness.resumed < options.times and not harness.problems:
        round_number += 1
        harness.project = copy_project(options.folder / f"killed{round_number}")
        harness.run_to_the_end(options.times - harness.resumed)
        print(f"round {round_number}: {dict(harness.kills)}, {harness.problems}", flush=True)
        if not harness.problems:
            shutil.rmtree(harness.project)
    print(report(harness, round_number, time.monotonic() - started))
    return bool(harness.problems)


def report(harness: Harness, rounds: int, seconds: float) -> str:
    """The table of the documentation."""
    lines = ["| killed | times |", "|---|---:|"]
    lines += [f"| {kind} | {harness.kills[kind]} |" for kind in KINDS]
    lines.append(
        f"\n{harness.resumed} times resumed after {sum(harness.kills.values())} kills in {rounds} "
        f"runs, {len(harness.expected)} files compared after each; "
        f"{len(harness.problems)} problems; {seconds / 60:.0f} minutes."
    )
    return "\n".join([*lines, *harness.problems])


if __name__ == "__main__":
    raise SystemExit(main())
