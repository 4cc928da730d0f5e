"""Artifacts: written whole or not at all, read with one clear error when damaged."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError, DiskError
from pipeline_lib.store.seals import append_seal, checked_ranges

ROOT = Path(__file__).resolve().parents[3]
COORDS = {"prompt": [3, 5, 8], "component": ["head_0", "mlp"]}


def write(path, values=None, **changes):
    values = np.arange(6, dtype=np.float32).reshape(3, 2) if values is None else values
    options = {"coords": COORDS, "provenance": {"model": "m", "seed": 1}} | changes
    arrays = {"effect": store.Array(values, ("prompt", "component"), "1")}
    store.write_artifact(path, "effects", arrays, **options)


def test_round_trip_keeps_values_axes_coordinates_and_provenance(tmp_path):
    write(tmp_path / "a.h5")
    with store.open_artifact(tmp_path / "a.h5", "effects") as artifact:
        assert artifact.read("effect").tolist() == [[0, 1], [2, 3], [4, 5]]
        assert artifact.read("effect", (slice(1, 2), 1)).tolist() == [3]
        assert artifact.axes("effect") == ("prompt", "component")
        assert artifact.coords("component").tolist() == ["head_0", "mlp"]
        assert artifact.coords("prompt").tolist() == [3, 5, 8]
        assert artifact.provenance == {"model": "m", "seed": 1}


def test_the_same_content_gives_the_same_file(tmp_path):
    write(tmp_path / "a.h5")
    write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_digest_changes_with_one_value_and_not_with_provenance(tmp_path):
    digests = []
    for name, value, seed in (("a", 0.0, 1), ("b", 1.0, 1), ("c", 0.0, 2)):
        write(tmp_path / name, np.full((3, 2), value), provenance={"seed": seed})
        with store.open_artifact(tmp_path / name, "effects") as artifact:
            digests.append(artifact.digest)
    assert digests[0] != digests[1]
    assert digests[0] == digests[2]


def test_empty_axes_are_allowed(tmp_path):
    write(tmp_path / "a.h5", np.empty((0, 2), np.float32), coords={})
    with store.open_artifact(tmp_path / "a.h5", "effects") as artifact:
        assert artifact.read("effect").shape == (0, 2)
    store.verify_artifact(tmp_path / "a.h5", "effects")


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    def fail_in_the_middle():
        with store.create_artifact(
            tmp_path / "a.h5", "effects", coords={}, provenance={}
        ) as writer:
            writer.add("effect", store.Array(np.ones(3), ("prompt",)))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail_in_the_middle()
    assert list(tmp_path.iterdir()) == []


def test_truncated_file(tmp_path):
    write(tmp_path / "a.h5", np.zeros((3, 2)))
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: len(whole) // 2])
    with (
        pytest.raises(ArtifactError, match=r"truncated[\s\S]*Delete the file"),
        store.open_artifact(tmp_path / "a.h5", "effects"),
    ):
        pass


def test_flipped_bit_in_a_dataset_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "a.h5"
    values = np.full((3, 2), 12345.678)
    write(path, values)
    content = bytearray(path.read_bytes())
    content[content.index(values.tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with (
        store.open_artifact(path, "effects") as artifact,
        pytest.raises(ArtifactError, match="dataset 'effect' is damaged"),
    ):
        artifact.read("effect")
    with pytest.raises(ArtifactError, match="damaged"):
        store.verify_artifact(path, "effects")


def test_changed_value_is_found_by_the_digest(tmp_path):
    path = tmp_path / "a.h5"
    write(path)
    with h5py.File(path, "r+") as file:
        file["effect"][0, 0] = 99
        file.flush()
        ranges = checked_ranges(file)
    append_seal(path, ranges)
    with pytest.raises(ArtifactError, match="does not match its digest"):
        store.verify_artifact(path, "effects")


def test_a_file_of_another_stage_is_told_by_its_kind(tmp_path):
    write(tmp_path / "a.h5")
    with (
        pytest.raises(ArtifactError, match="kind 'maps'"),
        store.open_artifact(tmp_path / "a.h5", "maps"),
    ):
        pass


def test_a_file_of_an_older_format_is_told_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline_lib.store.arrays.FORMAT_VERSION", 1)
    write(tmp_path / "a.h5")
    monkeypatch.undo()
    with (
        pytest.raises(ArtifactError, match=r"another format version[\s\S]*found 1"),
        store.open_artifact(tmp_path / "a.h5", "effects"),
    ):
        pass


@pytest.mark.parametrize("spoil", ["attribute", "foreign", "nothing", "text"])
def test_files_without_the_seal_are_never_given_to_hdf5(tmp_path, spoil):
    path = tmp_path / "a.h5"
    write(path)
    if spoil == "attribute":
        with h5py.File(path, "r+") as file:
            del file["effect"].attrs["axes"]
    elif spoil == "foreign":
        with h5py.File(path, "w") as file:
            file["effect"] = np.ones((3, 2))
    else:
        path.write_text("" if spoil == "nothing" else "no HDF5 at all " * 9)
    with (
        pytest.raises(ArtifactError, match=r"not written by this version[\s\S]*Delete the file"),
        store.open_artifact(path, "effects"),
    ):
        pass


def test_every_flipped_bit_of_an_artifact_is_noticed_by_who_reads_it(tmp_path):
    """A bit of every byte of the values (HDF5's checksum) and of every 13th of all else (seal)."""
    path = tmp_path / "a.h5"
    write(path, np.full((3, 2), 12345.678))
    content = bytearray(path.read_bytes())
    values = content.index(np.full((3, 2), 12345.678).tobytes())
    for place in sorted({*range(0, len(content), 13), *range(values, values + 48)}):
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        content[place] ^= 1 << place % 8
        with pytest.raises(ArtifactError), store.open_artifact(path, "effects") as artifact:
            artifact.read("effect")


def test_wrong_shapes_are_refused_when_a_file_is_opened(tmp_path):
    path = tmp_path / "a.h5"
    write(path, np.zeros((4, 2)))
    with (
        pytest.raises(ArtifactError, match=r"wrong shape[\s\S]*4 along prompt"),
        store.open_artifact(path, "effects"),
    ):
        pass


def test_missing_file_and_missing_dataset(tmp_path):
    with (
        pytest.raises(ArtifactError, match="does not exist"),
        store.open_artifact(tmp_path / "a.h5", "effects"),
    ):
        pass
    write(tmp_path / "a.h5")
    with (
        store.open_artifact(tmp_path / "a.h5", "effects") as artifact,
        pytest.raises(ArtifactError, match="no dataset 'z'"),
    ):
        artifact.read("z")


def test_a_write_that_hits_a_limit_is_told_in_words(tmp_path):
    """A real limit on the file size stands in for a full disk, which raises the same way."""
    program = (
        "import resource, signal; import pandas as pd; from pipeline_lib import store;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        f"store.write_table({str(tmp_path / 't.csv')!r}, pd.DataFrame({{'x': range(9999)}}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "DiskError: the disk is full" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_that_does_not_fit_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    usage = SimpleNamespace(free=23)
    monkeypatch.setattr("pipeline_lib.store.disk.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DiskError, match=r"cannot hold[\s\S]*needs 0.00 GB"):
        write(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written")]
)
def test_disk_errors_are_told_in_words(tmp_path, number, message):
    with pytest.raises(DiskError, match=message), store.atomic_path(tmp_path / "a.csv"):
        raise OSError(number, "from the system")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_refuses_to_start_when_the_disk_is_too_small(tmp_path):
    store.require_space(tmp_path, 1)
    with pytest.raises(DiskError, match="cannot hold"):
        store.require_space(tmp_path / "not" / "there" / "yet", 10**18)


def test_tables_round_trip_exactly(tmp_path):
    table = pd.DataFrame({"a": [1, 2], "x": [0.1, 1 / 3], "name": ["add", "sub"]})
    store.write_table(tmp_path / "t.csv", table)
    pd.testing.assert_frame_equal(store.read_table(tmp_path / "t.csv"), table)
    with pytest.raises(ArtifactError, match=r"lacks the columns \['b'\]"):
        store.read_table(tmp_path / "t.csv", ["a", "b"])
    with pytest.raises(ArtifactError, match="cannot be read"):
        store.read_table(tmp_path / "other.csv")


def test_broken_json(tmp_path):
    (tmp_path / "m.json").write_text('{"half": ')
    with pytest.raises(ArtifactError, match="JSON"):
        store.read_json(tmp_path / "m.json")


def test_a_changed_table_is_refused_until_its_checksum_is_deleted(tmp_path):
    path = tmp_path / "t.csv"
    store.write_table(path, pd.DataFrame({"x": [10, 20, 30]}))
    beside = tmp_path / ".digests" / "t.csv.sha256"
    assert beside.read_text() == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  t.csv\n"
    path.write_text("x\n10\n20\n")  # cut off where a row ends: nothing else can tell
    with pytest.raises(ArtifactError, match=r"SHA-256 has changed[\s\S]*t.csv.sha256"):
        store.read_table(path)
    beside.unlink()
    assert store.read_table(path)["x"].tolist() == [10, 20]


def test_a_rewritten_table_has_its_new_checksum(tmp_path):
    for values in ([1], [2, 3]):
        store.write_table(tmp_path / "t.csv", pd.DataFrame({"x": values}))
        assert store.read_table(tmp_path / "t.csv")["x"].tolist() == values


def test_a_run_killed_after_the_rename_leaves_no_wrong_checksum(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    store.write_table(path, pd.DataFrame({"x": [1]}))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline_lib.store.disk.record_digest", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write_table(path, pd.DataFrame({"x": [2]}))
    assert store.read_table(path)["x"].tolist() == [2]


def test_json_that_is_no_block_and_a_changed_one_are_refused(tmp_path):
    path = tmp_path / "m.json"
    path.write_text("[1]")
    with pytest.raises(ArtifactError, match="no block of keys"):
        store.read_json(path)
    store.write_json(path, {"a": 1})
    path.write_text('{"a": 2}')
    with pytest.raises(ArtifactError, match="SHA-256 has changed"):
        store.read_json(path)


def test_the_file_and_its_name_are_on_the_disk_before_the_writer_goes_on(tmp_path, monkeypatch):
    """The order that survives a power cut: content, then name, then the folder that holds it."""
    done = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor):
        done.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).suffix}")
        fsync(descriptor)

    def renamed(path, target):
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    store.write_json(tmp_path / "m.json", {"a": 1})
    assert done == ["sync .part", "rename", "sync "]
