"""Time and memory of building the DAG for 4 models x 4 operators x 20 seeds x 14 checkpoints.

python -m benchmarks.growth [--models 4] [--checkpoints 14] [--seeds 20]

Every checkpoint is a model of the study, so that each has all stages, and none needs a network. The
same is measured for a project without results and for one in which all are there.
"""

import argparse
import json
import os
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
    """Empty outputs of all jobs, each with the record that Snakemake would have written."""
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
        for output in job["output"]:
            path = project / output
            if Path(output).suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:  # a folder of pages' data
                path.mkdir(parents=True, exist_ok=True)
            os.utime(path, (now, now))
            write_record(records, output, text)


def write_record(records: Path, output: str, text: str) -> None:
    """Write a record under the name by which Snakemake finds it."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    path = records.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of wall time and of processors, largest memory in MB."""

    wall: float
    cpu: float
    memory: float
    said: str


def cost(project: Path, *command: str) -> Cost:
    """Run a command in a project and measure it; raises RuntimeError where it fails."""
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=project, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise RuntimeError(text)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, text)


DRY_RUN = ("snakemake", "--dry-run", "--quiet", "--cores", "1", "--configfile", CONFIG)
COMMANDS = {
    "snakemake -n": DRY_RUN,
    "plan": ("pipeline_lib", "plan", "--configfile", CONFIG),
    "why": ("pipeline_lib", "why", "--configfile", CONFIG),
    "status": ("pipeline_lib", "status", "--configfile", CONFIG),
}


def measure(project: Path, state: str) -> list[str]:
    """Lines of the table: every command in a project of one state."""
    rows = []
    for name, command in COMMANDS.items():
        took = cost(project, *command)
        row = f"| {state} | `{name}` | {took.wall:.1f} | {took.cpu:.1f} | {took.memory:.0f} |"
        print(row, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    """Print the table of both states."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("models", 4), ("checkpoints", 14), ("seeds", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    sizes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        project = make_project(Path(name) / "project", sizes.models, sizes.checkpoints, sizes.seeds)
        jobs = describe(project, "--everything")
        print(f"{len(jobs)} jobs\n\n| project | command | wall s | CPU s | peak MB |")
        print("|---|---|---:|---:|---:|", flush=True)
        measure(project, "fresh")
        pretend_to_have_run(project, jobs)
        measure(project, "finished")


if __name__ == "__main__":
    main()
