"""How a run stands, from what it left behind."""

import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode

import pytest

from pipeline_lib.jobs.description import Description, Job
from pipeline_lib.jobs.status import duration, report, stages
from pipeline_lib.jobs.traces import (
    Ending,
    is_locked,
    processes,
    read_log,
    seconds_of,
    started_outputs,
)

HEADER = "17:04:12 INFO started: 2026-11-30T17:04:12+00:00\nversions: python 3.11.7\n"
DONE = f"{HEADER}17:04:14 INFO done in 2.0 s, peak memory 359 MB\n"
FAILED = f"{HEADER}17:04:14 ERROR the file is truncated\n  Hint: Delete it.\n"
CRASHED = f"{HEADER}17:04:14 INFO failed\nTraceback (most recent call last):\nValueError: no\n"


def a_job(number, rule="match", **facts):
    names = {"output": [f"{rule}{number}.csv"], "log": [f"logs/{rule}{number}.log"]}
    known = {"wildcards": {}, "benchmark": None, "needs": [], "stale": False}
    return Job(rule=rule, **(known | names | facts))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def mark(project, output, seconds_ago=0.0):
    """What Snakemake leaves while a job runs."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    path = project.joinpath(
        ".snakemake", "incomplete", *(f"@{part}" for part in parts[:-1]), parts[-1]
    )
    write(path, "{}")
    os.utime(path, (time.time() - seconds_ago,) * 2)


@pytest.mark.parametrize(
    ("text", "ending", "error"),
    [
        (DONE, Ending.DONE, ""),
        (FAILED, Ending.FAILED, "the file is truncated"),
        (CRASHED, Ending.FAILED, "ValueError: no"),
        (HEADER, Ending.OPEN, ""),
        ("", Ending.OPEN, ""),
        ("x" * 50_000 + "\n" + DONE, Ending.DONE, ""),
        # done after all: the error was one that the job survived
        (FAILED + DONE, Ending.DONE, ""),
    ],
)
def test_how_logs_end(text, ending, error, tmp_path):
    write(tmp_path / "a.log", text)
    found = read_log(tmp_path / "a.log")
    assert (found.ending, found.error) == (ending, error)
    assert found.seconds == (2.0 if ending is Ending.DONE else None)


def test_a_missing_log_and_one_with_a_traceback_beside_it(tmp_path):
    assert read_log(tmp_path / "a.log").ending is Ending.ABSENT
    write(tmp_path / "a.log", HEADER)
    write(tmp_path / "a.log.traceback", "Traceback")
    assert read_log(tmp_path / "a.log").ending is Ending.FAILED


@pytest.mark.parametrize(
    ("benchmark", "seconds"),
    [("s\th:m:s\n3.5\t0:00:03\n", 3.5), ("", 2.0), ("s\n", 2.0), ("s\nno\n", 2.0), (None, 2.0)],
)
def test_seconds_come_from_the_benchmark_or_else_the_log(benchmark, seconds, tmp_path):
    write(tmp_path / "logs" / "match0.log", DONE)
    if benchmark is not None:
        write(tmp_path / "b.tsv", benchmark)
    assert seconds_of(a_job(0, benchmark="b.tsv"), tmp_path) == seconds


def test_marks_of_started_jobs_have_names_of_any_length(tmp_path):
    names = {"data/a.csv", "data/" + 40 * "long/name/" + "b.csv"}
    for name in names:
        mark(tmp_path, name)
    write(tmp_path / ".snakemake" / "incomplete" / "no base64 ?", "")
    assert started_outputs(tmp_path).keys() == names
    assert started_outputs(tmp_path / "elsewhere") == {}


def test_counts_jobs_by_their_state(tmp_path):
    write(tmp_path / "logs" / "match0.log", DONE)
    write(tmp_path / "logs" / "match1.log", FAILED)
    write(tmp_path / "logs" / "match2.log", HEADER)
    write(tmp_path / "logs" / "match3.log", DONE)  # finished once, stale since
    mark(tmp_path, "match4.csv", seconds_ago=30)
    jobs = [a_job(0), *(a_job(number, stale=True) for number in range(1, 6))]
    stage = stages(Description(jobs, {}), tmp_path, alive=True)["match"]
    assert (stage.done, len(stage.failed), stage.remaining, stage.killed) == (1, 1, 3, 1)
    assert stage.elapsed == [pytest.approx(30, abs=5)]
    assert stage.times == [2.0]
    # 4 that wait, and the one that runs has had more than its time
    assert stage.left(2.0) == pytest.approx(8.0)
    assert stages(Description(jobs, {}), tmp_path, alive=False)["match"].elapsed == []


def test_reports_what_is_left_and_what_failed(tmp_path):
    write(tmp_path / "logs" / "match0.log", DONE)
    write(tmp_path / "logs" / "match1.log", FAILED)
    jobs = [
        a_job(0),
        a_job(1, stale=True),
        a_job(2, "page", stale=True, needs=[1]),
        a_job(3, "rank", stale=True, needs=[1]),
    ]
    said = report(Description(jobs, {}), tmp_path, lambda: {"rank": 600.0, "figures": 30.0})
    assert said.splitlines() == [
        "stage  done  running  failed  remaining    a job    left",
        "match     1                1               2.0 s   2.0 s",
        "page                                  1    ~30 s    30 s",
        "rank                                  1  ~10 min  10 min",
        "",
        "Failed when they last ran:",
        "  logs/match1.log: the file is truncated",
        "",
        "1 done, 0 running, 1 failed, 2 remaining: 11 min of jobs left.",
    ]


def test_says_where_nothing_is_known(tmp_path):
    said = report(Description([a_job(0, stale=True)], {}), tmp_path)
    assert "1 remaining: how long they take is not known yet." in said


def test_everything_is_there(tmp_path):
    said = report(Description([a_job(0)], {}), tmp_path)
    assert said.endswith("1 done, 0 running, 0 failed, 0 remaining: everything is there.\n")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are only looked up on Linux")
def test_knows_whether_a_run_is_alive_here(tmp_path):
    mark(tmp_path, "match0.csv")
    write(tmp_path / ".snakemake" / "locks" / "0.input.lock", "")
    jobs = Description([a_job(0, stale=True)], {})
    assert is_locked(tmp_path)
    assert processes(tmp_path) == []
    assert "it was killed (then: snakemake --unlock)" in report(jobs, tmp_path)
    command = [sys.executable, "-c", "input()", "snakemake"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE) as run:
        assert processes(tmp_path) == [run.pid]
        said = report(jobs, tmp_path)
    assert "killed" not in said
    assert "0 done, 1 running, 0 failed, 0 remaining" in said


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.9, "9.9 s"),
        (10.0, "10 s"),
        (600.0, "10 min"),
        (7200.0, "2.0 h"),
        (2e6, "23.1 d"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
