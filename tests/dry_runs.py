"""Dry runs without the start: a process that has loaded Snakemake forks for each of them.

``python -m tests.dry_runs PROJECT`` reads lines of JSON ``[folder, arguments]`` and answers each
with ``[exit code, file]``, where the file holds what the run printed. A dry run takes a fraction of
the time, because libraries are loaded and the project's modules are analysed once. Every run loads
the project's own library anew, so a changed library is what runs.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.project import ROOT, TEST_SIZE, read_plan

LOADED = ("snakemake.cli", "pandas", "h5py", "pydantic", "yaml", "matplotlib.pyplot")
KEPT = ("pipeline_lib", "pipeline_lib.errors", "pipeline_lib.fingerprint")
"""Modules whose loaded form is used by all runs: the fingerprint's remembers analysed files."""


def serve(project: Path) -> None:
    """Answer requests on standard input until it is closed."""
    load(project)
    answers = os.fdopen(os.dup(1), "w")  # what the runs print does not get in here
    for line in sys.stdin:
        folder, arguments = json.loads(line)
        handle, said = tempfile.mkstemp(prefix="dry_run_", suffix=".txt")
        child = os.fork()
        if child == 0:
            run(folder, arguments, handle)
        os.close(handle)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps([code, said]), file=answers, flush=True)


def load(project: Path) -> None:
    """Load libraries, and analyse the project's modules; its library itself is loaded by runs."""
    import importlib

    for name in LOADED:
        importlib.import_module(name)
    sys.path[0] = str(project)  # in place of this repository's root
    from pipeline_lib.fingerprint import fingerprint

    files = [path.relative_to(project) for path in (project / "pipeline_lib").rglob("*.py")]
    modules = [".".join(path.with_suffix("").parts) for path in files]
    for script in sorted((project / "workflow" / "scripts").glob("*.py")):
        fingerprint(script, *modules, root=project)
    gc.freeze()
    for name in [name for name in sys.modules if name.split(".")[0] == "pipeline_lib"]:
        if name not in KEPT:
            del sys.modules[name]


def run(folder: str, arguments: Sequence[str], output: int) -> None:
    """Be a Snakemake in the folder; does not return."""
    code = 1
    try:
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(folder)
        gc.disable()
        from snakemake.cli import main

        sys.argv = ["snakemake", *arguments]
        main(sys.argv[1:])
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class DryRuns:
    """The other side: a project, and the process that makes dry runs of it."""

    def __init__(self, project: Path) -> None:
        self.folder = project
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.dry_runs", str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=ROOT,
            text=True,
        )

    def planned(self, *args: str, configs: Sequence[str] = TEST_SIZE) -> dict[str, int]:
        """Rules that a dry run would start, with their number of jobs; as `project.planned`."""
        command = ["--cores", "2", "--dry-run", "--quiet", "rules", *args, "--configfile", *configs]
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([str(self.folder), command]), file=self.process.stdin, flush=True)
        code, file = json.loads(self.process.stdout.readline())
        text = Path(file).read_text()
        Path(file).unlink()
        return read_plan(subprocess.CompletedProcess(command, code, text, ""))

    def after(self, change: str, *args: str, configs: Sequence[str] = TEST_SIZE) -> dict[str, int]:
        """The same with a change of the configuration (YAML) laid over it."""
        (self.folder / "change.yaml").write_text(change)
        return self.planned(*args, configs=(*configs, "change.yaml"))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


@contextmanager
def changed(path: Path, text: str | None) -> Iterator[None]:
    """The file with another text, or without the file; afterwards it is as it was and as old."""
    before = path.with_name(f"{path.name}.before")
    path.rename(before)
    try:
        if text is not None:
            path.write_text(text)
        yield
    finally:
        path.unlink(missing_ok=True)
        before.rename(path)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
