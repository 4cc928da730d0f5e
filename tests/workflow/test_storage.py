"""Faults of disks, files, locks and clocks, made for real: what users see; nothing is lost."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest

from pipeline_lib import store
from tests.project import copy_project, planned, said, snakemake

FOLDER = "data/arithmetic/tiny-arith"
MAPS, PROMPTS = f"{FOLDER}/numbers/ov.h5", f"{FOLDER}/prompts/add/discovery.csv"
TARGETS = (MAPS, PROMPTS)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A project in which a few files were made; copy it before changing it."""
    project = copy_project(tmp_path_factory.mktemp("made") / "project")
    result = snakemake(project, *TARGETS)
    assert result.returncode == 0, said(result)
    return project


@pytest.fixture
def project(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


def check(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline_lib", "check", *options]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def values_of(path: Path) -> int:
    """Where in an artifact's file its largest dataset has its first values."""
    with h5py.File(path, "r", locking=False) as file:
        return file["logits"].id.get_chunk_info(0).byte_offset


def test_check_names_the_damage_and_its_commands_repair_it(project):
    whole = {name: (project / name).read_bytes() for name in TARGETS}
    assert check(project).returncode == 0, check(project).stderr
    flip(project / MAPS, values_of(project / MAPS) + 40)
    rows = (project / PROMPTS).read_text().splitlines(keepends=True)
    (project / PROMPTS).write_text("".join(rows[:-1]))  # a whole row less: still a table
    told = check(project, "--configfile", "config/test.yaml")
    assert told.returncode == 1
    assert "checksum failed" in told.stderr
    assert "SHA-256 has changed" in told.stderr
    assert "Traceback" not in said(told)
    delete = re.search(r"  rm -r -- (?:.*\\\n)*.*", told.stderr)
    assert delete is not None
    subprocess.run(delete[0], shell=True, cwd=project, check=True)
    result = snakemake(project, *TARGETS)
    assert result.returncode == 0, said(result)
    assert {name: (project / name).read_bytes() for name in TARGETS} == whole
    assert check(project).returncode == 0


def test_a_stage_that_reads_a_damaged_document_says_so_without_a_traceback(project):
    manifest = project / "data/models/tiny-arith/manifest.json"
    times = (manifest.stat().st_atime_ns, manifest.stat().st_mtime_ns)
    manifest.write_text(manifest.read_text().replace('"d_mlp": 256', '"d_mlp": 257'))
    os.utime(manifest, ns=times)  # the disk changed it, nobody wrote
    (project / MAPS).unlink()
    result = snakemake(project, MAPS)
    assert result.returncode != 0
    assert "SHA-256 has changed" in said(result)
    assert "Traceback" not in said(result)
    assert not (project / MAPS).exists()


def start(project: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *args]
    command += ["--configfile", "config/test.yaml"]
    return subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_lock(project: Path) -> None:
    for _ in range(600):
        if any((project / ".snakemake/locks").glob("*.lock")):
            return
        time.sleep(0.05)
    raise AssertionError("the run takes no lock")


def test_a_second_run_is_refused_and_a_lock_of_a_dead_run_is_told_apart(project):
    (project / MAPS).unlink()
    first = start(project, MAPS)
    try:
        wait_for_lock(project)
        os.killpg(first.pid, signal.SIGSTOP)  # so that it cannot end before the second begins
        second = snakemake(project, MAPS)
        assert (
            "The folder is locked by a run of this machine that is alive" in check(project).stdout
        )
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert second.returncode != 0
    assert "Directory cannot be locked" in said(second)
    assert "Traceback" not in said(second)
    assert "snakemake --unlock" in check(project).stdout
    assert snakemake(project, "--unlock").returncode == 0
    result = snakemake(project, MAPS)
    assert result.returncode == 0, said(result)
    assert check(project).returncode == 0


def test_two_runs_without_locks_leave_whole_files(project, made):
    for name in TARGETS:
        (project / name).unlink()
    runs = [start(project, *TARGETS, "--nolock") for _ in range(2)]
    texts = [run.communicate(timeout=300)[0] for run in runs]
    result = snakemake(project, *TARGETS)  # what one run took from the other is made again
    assert result.returncode == 0, said(result)
    assert all((project / name).read_bytes() == (made / name).read_bytes() for name in TARGETS)
    assert check(project).returncode == 0
    assert not any("Traceback" in text for text in texts if "pipeline_lib" in text), texts


def test_readers_of_a_file_that_two_processes_rewrite_see_whole_files(tmp_path):
    program = (
        "import sys, numpy as np; from pipeline_lib import store\n"
        "for turn in range(60):\n"
        "    values = np.full((400, 8), float(sys.argv[2]))\n"
        "    arrays = {'x': store.Array(values, ('row', 'column'))}\n"
        "    store.write_artifact(sys.argv[1], 'x', arrays, coords={}, provenance={})\n"
    )
    path = tmp_path / "a.h5"
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), value], cwd=Path.cwd())
        for value in "12"
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            with store.open_artifact(path, "x") as artifact:
                values = set(artifact.read("x").ravel().tolist())
            assert len(values) == 1
            seen |= values
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.h5"]


def test_hdf5_files_need_no_locks_of_the_file_system(tmp_path):
    """Network disks without locks: HDF5 would refuse; a lock held by another stands in for them."""
    arrays = {"x": store.Array(store.arrays.np.ones(4), ("row",))}
    path = tmp_path / "a.h5"
    store.write_artifact(path, "x", arrays, coords={}, provenance={})
    with path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(OSError, match="lock"):
            h5py.File(path, "r", locking=True)
        store.verify_artifact(path, "x")
        store.write_artifact(path, "x", arrays, coords={}, provenance={})
    store.verify_artifact(path, "x")


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A small disk of its own at a folder; skips where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_in_words_and_loses_nothing(project):
    """A disk of 64 kB, filled: the job fails in words, what was there stays, later it continues."""
    folder = project / FOLDER / "attention"
    folder.mkdir()
    with mounted(folder, "size=64k"):
        (folder / "precious.csv").write_text("a\n1\n")
        filler = folder / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 17))
        filler.write_bytes(bytes(15 << 12))
        for write in (
            lambda: store.write_json(folder / "new.json", {"a": "b" * 9000}),
            lambda: store.write_table(
                folder / "new.csv", store.tables.pd.DataFrame({"a": range(9999)})
            ),
            lambda: _write_large(folder / "new.h5"),
        ):
            with pytest.raises(store.disk.DiskError, match="disk"):
                write()
        assert sorted(path.name for path in folder.iterdir()) == ["filler", "precious.csv"]
        filler.unlink()
        store.write_json(folder / "new.json", {"a": "b" * 9000})
        assert (folder / "precious.csv").read_text() == "a\n1\n"


def _write_large(path: Path) -> None:
    """Slice by slice, so that only the disk itself can say that it is full."""
    with store.create_artifact(path, "x", coords={}, provenance={}) as writer:
        dataset = writer.reserve("x", (64, 4096), "f8", ("row", "column"))
        for row in range(64):
            dataset[row] = row


def test_a_run_on_a_full_disk_ends_in_words_and_continues_later(project):
    """The disk of the logs and of all else has room; that of the numbers has none."""
    folder = project / FOLDER / "numbers"
    whole = (project / MAPS).read_bytes()
    shutil.rmtree(folder)
    folder.mkdir()
    with mounted(folder, "size=8k"):
        (folder / "kept.txt").write_text("a file that was there")
        result = snakemake(project, MAPS)
        assert result.returncode != 0
        assert re.search(r"disk is full|disk cannot hold", said(result)), said(result)
        assert "Traceback" not in said(result)
        assert not (project / MAPS).exists()
        subprocess.run(["mount", "-o", "remount,size=64M", str(folder)], check=True)
        result = snakemake(project, MAPS)
        assert result.returncode == 0, said(result)
        assert (project / MAPS).read_bytes() == whole


def test_a_read_only_folder_is_told_before_any_job(project):
    figures = project / "figs"
    figures.mkdir()
    with mounted(figures, "size=1M", "ro"):
        result = snakemake(project, "-n", MAPS)
        assert result.returncode != 0
        assert "the folder cannot be written" in said(result)
        assert "Traceback" not in said(result)


def test_clocks_that_were_wrong_recompute_nothing_of_the_same_content(project):
    """Files of the future, and outputs older than their inputs: small inputs go by content."""
    manifest = project / "data/models/tiny-arith/manifest.json"
    soon = time.time() + 10**7
    os.utime(manifest, (soon, soon))
    assert planned(project, "--nolock", *TARGETS) == {}
    long_ago = time.time() - 10**8
    for name in TARGETS:
        os.utime(project / name, (long_ago, long_ago))
    assert planned(project, "--nolock", *TARGETS) == {}
