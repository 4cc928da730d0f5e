"""Copies of the project to run Snakemake in, for the workflow and end-to-end tests."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflow", "config", "profiles", "pipeline_lib", "environment.yml")


def copy_project(folder: Path) -> Path:
    """A copy of the workflow, the library and the shipped models, without any artifact."""
    folder.mkdir(parents=True)
    skipped = shutil.ignore_patterns("__pycache__", "manifest.json")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=skipped)
        else:
            shutil.copy2(source, folder / part)
    for model in (ROOT / "data" / "models").glob("tiny-*"):
        shutil.copytree(model, folder / "data" / "models" / model.name, ignore=skipped)
    return folder


TEST_SIZE = ("config/test.yaml",)


def snakemake(
    folder: Path, *args: str, configs: Sequence[str] = TEST_SIZE
) -> subprocess.CompletedProcess[str]:
    """Run snakemake in a project copy and return what it said; the caller looks at the exit code.

    ``configs`` are laid over config/config.yaml in their order.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # the list of config files ends the line, or it would take the targets for its own
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *args, "--configfile", *configs]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )


def said(result: subprocess.CompletedProcess[str]) -> str:
    """Everything a run printed."""
    return result.stdout + result.stderr


def planned(folder: Path, *args: str, configs: Sequence[str] = TEST_SIZE) -> dict[str, int]:
    """Rules that a dry run would start, with their number of jobs; empty when all is up to date."""
    return read_plan(snakemake(folder, *args, "--dry-run", "--quiet", "rules", configs=configs))


def read_plan(result: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Rules and their numbers of jobs in what a dry run printed."""
    assert result.returncode == 0, said(result)
    table = re.search(r"^job +count\n-+ +-+\n(.*?)\n\n", said(result) + "\n\n", re.M | re.S)
    if table is None:
        assert "Nothing to be done" in said(result), said(result)
        return {}
    rows = (line.split() for line in table.group(1).splitlines())
    return {name: int(count) for name, count in rows if name not in ("total", "all")}
