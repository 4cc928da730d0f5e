"""The project on a real SLURM of one node, with profiles/slurm."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest
import yaml

from pipeline_lib.store.arrays import content_digest
from tests.project import ROOT, TEST_SIZE, copy_project, planned, said, snakemake

HERE = Path(__file__).parent
PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
OPERATORS = ("add", "sub", "mul", "div")
LABELLED = [f"data/arithmetic/tiny-arith/prompts/{name}/labelled.csv" for name in OPERATORS]
ON_GPU = "models: {tiny-arith: {gpus: 1}}\n"
"""Stages that run the model ask for a GPU, which is pretended: torch does not find it."""

# Groups of the profile that share a job here: every job starts anew, and CI has no time for that.
TOGETHER = {
    "labels": ("labels", "means", "probes"),
    "effects": (
        *("activations", "verification", "attribution", "effects"),
        *("rivals", "exact", "faithfulness", "scores"),
    ),
    "maps": ("maps", "heads"),
    "heuristics": ("heuristics", "matches"),
    "knockouts": ("knockouts", "checkpoints"),
    "figures": ("pages", "figures", "all_models", "findings"),
}
GPU_STAGES = {"labels", "effects", "maps", "knockouts"}


def stage_of(group: str) -> str:
    """The part of a group's name before the model."""
    return group.removesuffix("-{model}")


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """The tests' profile, with fewer and larger groups than profiles/slurm."""
    settings = yaml.safe_load((HERE / "profile" / "config.yaml").read_text())
    larger = {part: name for name, parts in TOGETHER.items() for part in parts}
    settings["groups"] = {
        rule: larger.get(stage_of(group), stage_of(group))
        for rule, group in PROFILE["groups"].items()
    }
    settings["group-components"] = dict.fromkeys(settings["groups"].values(), 1000)
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder


def with_profiles(over: Path = HERE / "profile") -> tuple[str, ...]:
    """Options that lay a profile over profiles/slurm."""
    return ("--profile", "profiles/slurm", "--workflow-profile", str(over))


def contents(folder: Path) -> dict[str, str | bytes]:
    """Every table and array of a project that has run: bytes, or the digest of all datasets."""
    found: dict[str, str | bytes] = {}
    for part in ("data", "figs"):
        for path in (folder / part).rglob("*"):
            name = str(path.relative_to(folder))
            if path.suffix == ".h5":
                with h5py.File(path, locking=False) as file:
                    found[name] = content_digest(file)
            elif path.suffix in (".csv", ".md"):
                found[name] = path.read_bytes()
            elif path.is_file():
                found[name] = "made"
    return found


@pytest.mark.slow
def test_default_study_runs_to_its_end(slurm, finished_project, tmp_path, overlay):
    folder = copy_project(tmp_path / "project")
    (folder / "gpu.yaml").write_text(ON_GPU)
    run = snakemake(folder, *with_profiles(overlay), configs=(*TEST_SIZE, "gpu.yaml"))
    assert run.returncode == 0, said(run)
    made, expected = contents(folder), contents(finished_project)
    assert set(made) == set(expected) | {"figs/report.html"}
    assert [name for name in expected if made[name] != expected[name]] == []

    jobs = slurm.jobs()
    stages = [re.match(r"rule_([a-z_]+)_", job["Comment"])[1] for job in jobs]
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    for stage, job in zip(stages, jobs, strict=True):
        on_gpu = any(stage.startswith(name) for name in GPU_STAGES)
        assert job["Partition"] == ("gpu" if on_gpu else "cpu"), job
        assert ("gres:gpu" in job.get("TresPerJob", "")) == on_gpu, job
        assert Path(job["StdOut"]).is_file()
        assert job["JobName"].startswith("bagpipe-")
    # jobs that overlap load it for themselves, those that follow find it
    for stage in ("indirect_effects", "cache_counterfactual"):
        logs = [file.read_text() for file in (folder / "logs" / stage).rglob("*.log")]
        assert sum("the model is still in memory" in log for log in logs) >= len(logs) // 2 > 0
    completed = (slurm.folder / "log" / "jobcomp.txt").read_text()
    assert completed.count("JobState=COMPLETED") == len(jobs)


def test_daemons_listen_on_this_machine_only(slurm):
    daemons = [int(file.read_text()) for file in (slurm.folder / "run").glob("*.pid")]
    assert len(daemons) == 3
    addresses = [address for daemon in daemons for address in listening(daemon)]
    assert len(addresses) >= 2  # slurmctld, slurmd
    assert {address[-8:] for address in addresses} == {"0100007F"}  # 127.0.0.1


def listening(process: int) -> list[str]:
    """Addresses on which a process listens, in hexadecimal."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()}
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{process}/net/{name}").read_text().splitlines()[1:]
    ]
    listens = "0A"
    return [
        line[1].split(":")[0]
        for line in lines
        if line[3] == listens and f"socket:[{line[9]}]" in sockets
    ]


@pytest.fixture
def changed_project(finished_project, tmp_path) -> Path:
    """A finished project whose model is loaded in another precision now: its answers are stale."""
    folder = tmp_path / "project"
    shutil.copytree(finished_project, folder)
    (folder / "changed.yaml").write_text("models: {tiny-arith: {gpus: 1, dtype: bfloat16}}\n")
    return folder


CHANGED = (*TEST_SIZE, "changed.yaml")
LONG = """\
resume_minutes: 0.015
models: {tiny-arith: {arithmetic: {knockouts: {by_heuristic: {draws: 100}}}}}
"""


@contextmanager
def running(
    folder: Path, *args: str, configs: Sequence[str] = CHANGED
) -> Iterator[subprocess.Popen[str]]:
    """A run of a project that goes on meanwhile; killed at the end if it goes on."""
    command = [sys.executable, "-m", "snakemake", *with_profiles(), *args]
    log = (folder / "run.txt").open("w")
    process = subprocess.Popen(
        [*command, "--configfile", *configs], cwd=folder, stdout=log, stderr=log, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Wait until something is so; an assertion names it if it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


def test_what_a_cancelled_group_has_finished_is_kept_and_nothing_else(slurm, changed_project):
    """Four jobs in one allocation, cancelled after two; files from before lie where they write."""
    files = [changed_project / name for name in LABELLED]
    before = {file: file.stat().st_mtime_ns for file in files}

    def done() -> list[Path]:
        return [f for f in files if f.exists() and f.stat().st_mtime_ns != before[f]]

    with running(changed_project, *LABELLED, "--cores", "1") as process:
        wait_for(lambda: len(done()) >= 2 or process.poll() is not None, "two of four jobs")
        (job,) = slurm.jobs()
        assert job["Comment"] == "rule_labels-tiny-arith_label_prompts"
        assert job["JobName"] == "bagpipe-labels-tiny-arith"
        slurm.run("scancel", job["JobId"])
        assert process.wait(120) != 0
    message = (changed_project / "run.txt").read_text()
    assert f"SLURM-job '{job['JobId']}' failed, SLURM status is: 'CANCELLED'" in message
    assert job["StdOut"] in message
    assert Path(job["StdOut"]).is_file()

    kept = {file: file.stat().st_mtime_ns for file in done()}
    assert 2 <= len(kept) < 4
    assert all(file in kept or not file.exists() for file in files)
    rest = planned(changed_project, *with_profiles(), *LABELLED, configs=CHANGED)
    assert rest == {"label_prompts": 4 - len(kept)}
    run = snakemake(changed_project, *with_profiles(), *LABELLED, configs=CHANGED)
    assert run.returncode == 0, said(run)
    assert len(done()) == 4
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert planned(changed_project, "--nolock", *LABELLED, configs=CHANGED) == {}


def test_steps_of_a_cancelled_job_are_kept(slurm, finished_project, tmp_path):
    """A job of many knockouts is cancelled between two times at which it keeps what it has."""
    project = Path(shutil.copytree(finished_project, tmp_path / "project"))
    (project / "long.yaml").write_text(LONG)
    configs = (*TEST_SIZE, "long.yaml")
    target = "data/arithmetic/tiny-arith/knockouts/threshold/add_by_heuristic.csv"
    before = (project / target).read_bytes()

    def pieces() -> list[Path]:
        return list((project / target).parent.glob(".*.pieces/*/*.h5"))

    with running(project, target, configs=configs) as process:
        wait_for(lambda: bool(pieces()) or process.poll() is not None, "steps that are kept")
        kept = len(pieces())
        time.sleep(1)
        slurm.run("scancel", slurm.jobs()[0]["JobId"])
        assert process.wait(120) != 0
    assert 0 < kept < len(pieces())
    assert not (project / target).exists()

    run = snakemake(project, *with_profiles(), target, configs=configs)
    assert run.returncode == 0, said(run)
    log = (project / "logs/knock_out_heuristics/tiny-arith/threshold/add.log").read_text()
    assert int(re.search(r"(\d+) steps of an earlier attempt are taken up", log)[1]) > kept
    assert pieces() == []
    resumed = (project / target).read_bytes()
    assert resumed != before
    alone = snakemake(project, "--force", target, configs=configs)
    assert alone.returncode == 0, said(alone)
    assert (project / target).read_bytes() == resumed


def test_job_that_outlives_its_run_is_known_to_the_next(slurm, changed_project):
    """The main process is killed; the job goes on; its result counts, and only for its settings."""
    target = LABELLED[0]
    with running(changed_project, target) as process:
        wait_for(lambda: any(j["JobState"] == "RUNNING" for j in slurm.jobs()), "a running job")
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: {j["JobState"] for j in slurm.jobs()} == {"COMPLETED"}, "the job's end")
    assert snakemake(changed_project, "--unlock", configs=CHANGED).returncode == 0
    assert planned(changed_project, "--nolock", target, configs=CHANGED) == {}
    assert planned(changed_project, "--nolock", target) == {"label_prompts": 1}


def test_failing_member_is_tried_again_alone_with_more_and_names_its_logs(slurm, changed_project):
    broken = changed_project / "data/arithmetic/tiny-arith/prompts/mul/labelled.csv"
    broken.write_text("no table of prompts\n")
    targets = [name.replace("labelled", "evaluation") for name in LABELLED]
    options = ("--retries", "1", "--forcerun", "split_prompts")
    run = snakemake(changed_project, *with_profiles(), *targets, *options)
    assert run.returncode != 0
    first, second = slurm.jobs()
    # two at a time: 10 minutes and 1000 MB each, and twice that the second time
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:20:00", "00:40:00")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("2000M", "4000M")
    ran = [
        re.findall(r"Splitting the correct (\w+)", Path(j["StdOut"]).read_text())
        for j in (first, second)
    ]
    assert [sorted(set(names)) for names in ran] == [sorted(OPERATORS), ["mul"]]
    assert [(changed_project / name).exists() for name in targets] == [True, True, False, True]
    log = "logs/split_prompts/tiny-arith/mul.log"
    assert log in said(run)
    assert "the file is not what was written" in (changed_project / log).read_text()
    for job in (first, second):
        assert job["StdOut"] in said(run)
