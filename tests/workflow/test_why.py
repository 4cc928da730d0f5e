"""`why` and `status` name the jobs that a dry run plans, with their reasons, and leave no trace."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipeline_lib.jobs.description import describe
from pipeline_lib.jobs.status import report
from pipeline_lib.jobs.why import explanation
from tests.project import planned

OPTIONS = ("--configfile", "config/test.yaml")
OWN = "data/arithmetic/tiny-arith"
FIGURES = "figs/arithmetic/tiny-arith"


@pytest.fixture(scope="module")
def project(finished_project, tmp_path_factory) -> Path:
    """A copy of the finished run; tests put back what they change."""
    folder = tmp_path_factory.mktemp("why") / "project"
    return Path(shutil.copytree(finished_project, folder, symlinks=True))


def tree(project):
    """Every file of a project with its size and time of change."""
    paths = (Path(base) / name for base, _, names in os.walk(project) for name in names)
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


def folders(project):
    return {base for base, _, _ in os.walk(project)}


def why(project, *config):
    """What is told of a project, after the jobs were compared with those of a dry run."""
    options = (*(("--config", *config) if config else ()), *OPTIONS)
    found = describe(options, project)
    stale = Counter(job.rule for job in found.jobs if job.stale)
    assert stale == planned(project, *(("--config", *config) if config else ()))
    return explanation(found, project / ".snakemake" / "bagpipe" / "code")


def line(said, stage):
    """The first line on a stage, with single blanks."""
    return next(" ".join(row.split()) for row in said.splitlines() if row.startswith(f"{stage} "))


def test_nothing_is_stale_and_nothing_is_touched(project):
    files, names = tree(project), folders(project)
    command = [sys.executable, "-m", "pipeline_lib"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for name, expected in (("why", "Nothing is stale"), ("status", "0 remaining: everything")):
        done = subprocess.run(
            [*command, name, *OPTIONS],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    assert tree(project) == files
    assert folders(project) == names


def test_a_config_key(project):
    said = why(project, "arithmetic={heuristics: {threshold: 0.55}}")
    cause = "config arithmetic.heuristics.threshold: 0.6 -> 0.55"
    assert line(said, "match_heuristics") == f"match_heuristics 4 jobs {cause}"
    assert line(said, "fig07_heuristic_knockout") == (
        "fig07_heuristic_knockout 1 job follows knock_out_heuristics"
    )


def test_a_key_of_one_model(project):
    said = why(project, "models={tiny-arith: {arithmetic: {exact: {prompts: 4}}}}")
    cause = "config models.tiny-arith.arithmetic.exact.prompts: 6 -> 4"
    assert line(said, "exact_neurons") == f"exact_neurons 4 jobs {cause}"


def test_a_module_a_deleted_file_and_a_changed_one(project):
    """The three at once, as a dry run takes seconds."""
    module = project / "pipeline_lib" / "knockouts" / "matched.py"
    deleted = project / FIGURES / "table03_accuracy.csv"
    changed = project / OWN / "circuits" / "sub.csv"
    kept = {path: path.read_bytes() for path in (module, deleted, changed)}
    times = {path: path.stat() for path in kept}
    module.write_bytes(kept[module] + b"\nMORE = 1\n")
    deleted.unlink()
    changed.write_bytes(kept[changed] + kept[changed].splitlines(keepends=True)[-1])
    try:
        said = why(project)
        status = report(describe(OPTIONS, project), project)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
            os.utime(path, ns=(times[path].st_atime_ns, times[path].st_mtime_ns))
    assert "code changed: pipeline_lib.knockouts.matched (" in line(said, "knock_out_heuristics")
    missing = f"output missing: {FIGURES}/table03_accuracy.csv"
    assert line(said, "table03_accuracy") == f"table03_accuracy 1 job {missing}"
    assert f"input changed: {OWN}/circuits/sub.csv (" in line(said, "circuit_test")
    assert line(status, "table03_accuracy").startswith("table03_accuracy 1 ")
    assert line(status, "circuit_test").startswith("circuit_test 3 1 ")


def test_a_project_without_a_run(project, tmp_path):
    """Everything is missing, and nothing is made: no folder either."""
    fresh = tmp_path / "fresh"
    kept = shutil.ignore_patterns("arithmetic", ".snakemake", "logs", "figs", "manifest.json")
    shutil.copytree(project, fresh, ignore=kept)
    names = folders(fresh)
    said = explanation(describe(OPTIONS, fresh), fresh / ".snakemake" / "bagpipe" / "code")
    manifests = 1 + 2  # of the model and its checkpoints
    assert line(said, "describe_model").startswith(
        f"describe_model {manifests} jobs output missing"
    )
    assert "0 are up to date" in said
    assert folders(fresh) == names


def test_refusals_are_told_in_the_words_of_snakemake(project):
    command = [sys.executable, "-m", "pipeline_lib", "why", "no_such_rule", *OPTIONS]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no_such_rule" in done.stderr
    assert "Traceback" not in done.stderr
