"""The jobs of a run, as workflow/describe.py tells them."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipeline_lib.errors import BagpipeError

DESCRIBE = Path("workflow") / "describe.py"


@dataclass(frozen=True)
class Job:
    """One job; what follows ``stale`` is only there for jobs that have to run.

    ``needs`` are numbers of other jobs, ``params`` texts (repr) by name, ``keys`` the config keys
    that params are read from, ``before`` the params and input files of what is there.
    """

    rule: str
    wildcards: dict[str, str]
    output: list[str]
    log: list[str]
    benchmark: str | None
    needs: list[int]
    stale: bool
    missing: list[str] = field(default_factory=list)
    updated: list[dict[str, Any]] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)
    forced: bool = False
    incomplete: list[str] = field(default_factory=list)
    no_record: bool = False
    params_changed: bool = False
    input_changed: bool = False
    environment_changed: bool = False
    params: dict[str, str] = field(default_factory=dict)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    recorded_params: list[str] = field(default_factory=list)
    input: list[str] = field(default_factory=list)
    before: dict[str, Any] | None = None


@dataclass(frozen=True)
class Description:
    """All jobs that some targets need, and what the fingerprints of their code are made of."""

    jobs: list[Job]
    code: dict[str, dict[str, str]]


def read_description(text: str) -> Description:
    """The description that a text of workflow/describe.py holds."""
    found = json.loads(text)
    known = {field.name for field in fields(Job)}
    jobs = [Job(**{k: v for k, v in job.items() if k in known}) for job in found["jobs"]]
    return Description(jobs, found["code"])


def describe(options: Sequence[str], project: Path) -> Description:
    """Ask Snakemake for the jobs that it would see with ``options``; nothing is written.

    Raises BagpipeError outside a project, and with Snakemake's words where it refuses.
    """
    if not (project / "Snakefile").is_file() or not (project / DESCRIBE).is_file():
        hint = "Run the command in the folder that holds Bagpipe's Snakefile."
        raise BagpipeError("There is no project in this folder.", where=project, hint=hint)
    with tempfile.TemporaryDirectory(prefix="bagpipe-jobs-") as scratch:
        out = Path(scratch) / "jobs.json"
        command = [sys.executable, str(DESCRIBE), str(out), "--cores", "1", *options]
        environment = {
            **os.environ,
            "BAGPIPE_READ_ONLY": "1",
            "BAGPIPE_SCRATCH": scratch,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode or not out.exists():
            raise BagpipeError("Snakemake cannot tell the jobs.", value=complaint(done.stderr))
        return read_description(out.read_text(encoding="utf-8"))


def complaint(said: str) -> str:
    """What Snakemake says of an error, without the words before it."""
    found = re.search(r"^\S*(Error|Exception)\b.*", said, re.M | re.S)
    return (found[0] if found else said).strip()
