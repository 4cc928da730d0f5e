"""Time and memory of building the DAG for 4 models x 4 operators x 20 seeds x 14 checkpoints.

python -m benchmarks.growth [--models 4] [--checkpoints 14] [--seeds 20] [--small]

Every checkpoint is a model of the study, so that each has all stages, and none needs a network. The
same is measured for a project without results and for one in which all are there, and `why` and
`status` in both for two thousand jobs (alone with --small).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.project import copy_project

CONFIG = "growth.yaml"
LOG = "12:00:00 INFO started: 2026-01-01\n12:00:01 INFO done in 1.0 s, peak memory 300 MB\n"
BENCHMARK = "s\th:m:s\n1.0\t0:00:01\n"
SHAPE = {
    "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "d_head": 128, "d_model": 4096, "d_mlp": 14336,
    "d_vocab": 128256, "max_number": 999, "gated_mlp": True,
}  # fmt: skip


def growth_config(models: int, checkpoints: int, seeds: int) -> dict[str, Any]:
    """A study of every checkpoint of some models of the hub, which no dry run asks for."""
    names = [f"model{number}" for number in range(models)]
    steps = [f"step{number}" for number in range(checkpoints)]
    model = {
        "source": "hub",
        "repo": "someone/model",
        "revision": "v1",
        "shape": SHAPE,
        "checkpoints": steps,
    }
    study = {
        "models": [f"{name}@{step}" for name in names for step in steps],
        "seeds": list(range(1, seeds + 1)),
        "attribution": {"seeds": [1]},
        "faithfulness": {"seeds": [1]},
    }
    return {"models": dict.fromkeys(names, model), "arithmetic": study}


def make_project(folder: Path, models: int, checkpoints: int, seeds: int) -> Path:
    """A project with such a config and nothing made."""
    project = copy_project(folder)
    text = yaml.safe_dump(json.loads(json.dumps(growth_config(models, checkpoints, seeds))))
    (project / CONFIG).write_text(text, encoding="utf-8")
    return project


def describe(project: Path, *options: str) -> list[dict[str, Any]]:
    """The jobs of a project as workflow/describe.py tells them."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "jobs.json"
        command = [sys.executable, "workflow/describe.py", str(out), *options]
        environment = {**os.environ, "BAGPIPE_SCRATCH": scratch, "BAGPIPE_READ_ONLY": "1"}
        subprocess.run([*command, "--configfile", CONFIG], cwd=project, env=environment, check=True)
        jobs: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))["jobs"]
    return jobs


def pretend_to_have_run(project: Path, jobs: Sequence[dict[str, Any]]) -> None:
    """Empty outputs of all jobs with the records, logs and times that a run would have left."""
    now = time.time()
    records = project / ".snakemake" / "metadata"
    (project / ".snakemake" / "incomplete").mkdir(parents=True, exist_ok=True)
    for job in jobs:
        record = {
            "rule": job["rule"],
            "input": job["input"],
            "log": job["log"],
            "params": job["recorded_params"],
            "record_format_version": 6,
            "software_stack_hash": "d41d8cd98f00b204e9800998ecf8427e",
            "starttime": now,
            "endtime": now,
            "incomplete": False,
            "input_checksums": {},
        }
        text = json.dumps(record)
        for log in job["log"]:
            write(project / log, LOG)
        if job["benchmark"]:
            write(project / job["benchmark"], BENCHMARK)
        for output in job["output"]:
            path = project / output
            if Path(output).suffix:
                write(path, "")
            else:  # a folder of pages' data
                path.mkdir(parents=True, exist_ok=True)
            os.utime(path, (now, now))
            write_record(records, output, text)


def write_record(records: Path, output: str, text: str) -> None:
    """Write a record under the name by which Snakemake finds it."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    path = records.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])
    write(path, text)


def write(path: Path, text: str) -> None:
    """Write a file and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of wall time and of processors, largest memory in MB."""

    wall: float
    cpu: float
    memory: float
    said: str


MEASURED = """
import atexit, re, resource, runpy, sys
def tell():
    sys.stdout.flush()
    own = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    sys.stderr.write(f"\\npeak {max(int(own), children)} kB\\n")
atexit.register(tell)
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module and tells the peak memory of it or its largest child, without this process's."""


def cost(project: Path, *command: str) -> Cost:
    """Run a command in a project and measure it; raises RuntimeError where it fails."""
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", MEASURED, *command],
            cwd=project,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise RuntimeError(text)
    peak = int(re.findall(r"^peak (\d+) kB$", text, re.M)[-1])
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak / 1000, text)


DRY_RUN = ("snakemake", "--dry-run", "--quiet", "--cores", "1", "--configfile", CONFIG)
COMMANDS = {
    "snakemake -n": DRY_RUN,
    "plan": ("pipeline_lib", "plan", "--configfile", CONFIG),
    "why": ("pipeline_lib", "why", "--configfile", CONFIG),
    "status": ("pipeline_lib", "status", "--configfile", CONFIG),
}
SMALL = (1, 5, 18)
"""Models, checkpoints and seeds of about two thousand jobs."""


def measure(folder: Path, sizes: tuple[int, int, int], commands: Sequence[str]) -> None:
    """Print rows of the table: the commands in a project without results and in a finished one."""
    project = make_project(folder, *sizes)
    jobs = describe(project, "--everything")
    cost(project, *DRY_RUN)  # analyses the code, as the first start does
    for state in ("fresh", "finished"):
        for name in commands:
            took = cost(project, *COMMANDS[name])
            numbers = f"{took.wall:.1f} | {took.cpu:.1f} | {took.memory:.0f}"
            print(f"| {len(jobs):,} | {state} | `{name}` | {numbers} |", flush=True)
        pretend_to_have_run(project, jobs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("models", 4), ("checkpoints", 14), ("seeds", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--small", action="store_true", help="two thousand jobs only")
    sizes = parser.parse_args()
    print("| jobs | project | command | wall s | CPU s | peak MB |\n|---:|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name) / "small", SMALL, ("snakemake -n", "why", "status"))
        if not sizes.small:
            size = (sizes.models, sizes.checkpoints, sizes.seeds)
            measure(Path(name) / "large", size, ("snakemake -n", "plan"))


if __name__ == "__main__":
    main()
