"""A run that is killed again and again ends with the same results as one that is left alone.

A short form of `tests.crash.harness`, on the stages behind one operator's heuristics and effects.
"""

import os
import random
import subprocess
import sys
import time

from tests.crash import harness
from tests.project import copy_project

STUDY = "data/arithmetic/tiny-arith"
TARGETS = [
    f"{STUDY}/knockouts/threshold/add_by_heuristic.csv",
    f"{STUDY}/faithfulness/add.csv",
]


def test_kills_change_nothing(finished_project, tmp_path):
    project = copy_project(tmp_path / "project")
    expected = harness.digests(finished_project)
    assert set(TARGETS) <= set(expected)
    killed = harness.Harness(project, expected, random.Random(2), TARGETS, longest=12)
    killed.run_to_the_end(4)
    assert killed.problems == []
    assert killed.resumed >= 3


def test_damage_would_be_seen(tmp_path):
    """The comparison itself: another value, half a file, a missing one."""
    expected = {f"{STUDY}/a.csv": "0" * 64, f"{STUDY}/b.csv": "0" * 64, f"{STUDY}/c.h5": "0" * 64}
    folder = tmp_path / STUDY
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / "c.h5").write_bytes(b"half")
    killed = harness.Harness(tmp_path, expected, random.Random(2))
    killed._compare("now", complete=True)
    assert [problem.partition(" ")[2] for problem in killed.problems] == [
        f"{STUDY}/a.csv differs",
        f"{STUDY}/c.h5 differs",
        f"1 files are missing, ['{STUDY}/b.csv']",
    ]


def test_a_process_can_die_between_writing_and_renaming(tmp_path):
    """What the harness has Python run first, in a process of its own."""
    (tmp_path / "sitecustomize.py").write_text(harness.KILLER)
    (tmp_path / "a.part").write_text("whole")
    text = "import os; os.replace('a.part', 'a')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "CRASH_NOTES": "notes"}
    for chance, code in (("1", -9), ("0", 0)):
        done = subprocess.run(
            [sys.executable, "-c", text],
            env={**environment, "CRASH_CHANCE": chance},
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == code
        assert (tmp_path / "a").exists() == (code == 0)
    assert (tmp_path / "notes").read_text() == "a\n"


def test_processes_of_a_run_are_found():
    child = "import time; time.sleep(60)"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{child}'])"
    running = subprocess.Popen([sys.executable, "-c", text])
    end = time.monotonic() + 20
    while not (found := harness.descendants(running.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(found) == 1
    for pid in [*found, running.pid]:
        harness.kill(pid)
    running.wait()
