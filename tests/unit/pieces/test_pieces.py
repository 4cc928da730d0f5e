"""Steps of a stage that dies are taken up by its next attempt, and by no other work."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib import pieces, store
from pipeline_lib.errors import DiskError
from pipeline_lib.interventions.batching import resumed_batches
from pipeline_lib.pieces import MINUTES_VARIABLE, Loop, packed, resumable, resumed, unpacked


class DiedError(Exception):
    pass


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A job as a rule gives it; every step is kept at once."""
    monkeypatch.setenv(MINUTES_VARIABLE, "0")
    source = tmp_path / "in.csv"
    source.write_text("a\n1\n")
    return SimpleNamespace(
        input=[str(source)],
        output=[str(tmp_path / "data" / "out.h5")],
        params={"code": "abc", "threshold": 0.5},
        wildcards={"operator": "add"},
    )


def squares(job, *, until=None, n=6):
    """Squares of 0 to n - 1 and the numbers that were computed; dies at ``until``."""
    computed = []

    def square(number):
        if number == until:
            raise DiedError
        computed.append(number)
        return np.array([number**2]), np.array(number, dtype=np.float32)

    with resumable(job):
        found = [(item, arrays[0][0]) for item, arrays in resumed(range(n), square)]
    assert found == [(number, number**2) for number in range(n)]
    return computed


def kept_files(tmp_path):
    return sorted((tmp_path / "data").rglob("*.pieces/*/*.h5"))


def test_a_stage_that_dies_goes_on_behind_its_last_step(stage, tmp_path):
    with pytest.raises(DiedError):
        squares(stage, until=4)
    assert len(kept_files(tmp_path)) == 4
    assert squares(stage) == [4, 5]
    assert kept_files(tmp_path) == []
    assert squares(stage) == [0, 1, 2, 3, 4, 5]


def test_what_waits_in_memory_is_written_when_a_stage_fails(stage, tmp_path, monkeypatch):
    monkeypatch.setenv(MINUTES_VARIABLE, "60")
    with pytest.raises(DiedError):
        squares(stage, until=4)
    assert len(kept_files(tmp_path)) == 1
    assert squares(stage) == [4, 5]


def test_a_request_to_stop_keeps_what_was_done(stage, monkeypatch):
    monkeypatch.setenv(MINUTES_VARIABLE, "60")

    def stop_at_two(number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return (np.array([number**2]), np.array(number, dtype=np.float32))

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, resumable(stage):
        list(resumed(range(6), stop_at_two))
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert squares(stage) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job.params.update(threshold=0.6),
        lambda job: job.params.update(code="abd"),
        lambda job: job.wildcards.update(operator="sub"),
        lambda job: Path(job.input[0]).write_text("a\n2\n"),
    ],
    ids=["parameter", "code", "wildcard", "input"],
)
def test_other_work_on_the_same_output_starts_afresh(stage, tmp_path, change):
    with pytest.raises(DiedError):
        squares(stage, until=4)
    change(stage)
    assert squares(stage) == [0, 1, 2, 3, 4, 5]
    assert kept_files(tmp_path) == []


def test_large_inputs_count_by_size_and_time(stage, monkeypatch):
    monkeypatch.setattr(pieces, "HASHED_WHOLE", 1)
    with pytest.raises(DiedError):
        squares(stage, until=4)
    os.utime(stage.input[0], (1, 1))
    assert squares(stage) == [0, 1, 2, 3, 4, 5]


def test_other_threads_or_versions_are_other_work(stage, monkeypatch):
    key = pieces.work_key({"versions": {"torch": "1"}}, stage.input)
    assert pieces.work_key({"versions": {"torch": "2"}}, stage.input) != key
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    assert pieces.work_key({"versions": {"torch": "1"}}, stage.input) != key


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[::-1]])
def test_damaged_pieces_are_computed_again(stage, tmp_path, damage):
    with pytest.raises(DiedError):
        squares(stage, until=4)
    damaged = kept_files(tmp_path)[2]
    damaged.write_bytes(damage(damaged.read_bytes()))
    assert squares(stage) == [2, 4, 5]


def test_a_disk_that_cannot_hold_the_steps_does_not_stop_the_stage(stage, monkeypatch, caplog):
    def refuse(*args, **options):
        raise DiskError("the disk is full", where="here")

    monkeypatch.setattr(store, "write_artifact", refuse)
    assert squares(stage) == [0, 1, 2, 3, 4, 5]
    assert "finished steps are not kept: the disk is full" in caplog.text
    with pytest.raises(DiedError):
        squares(stage, until=2)


def test_loops_in_steps_are_their_own(stage):
    ran, deadly = [], [(2, 1)]

    def inner(pair):
        ran.append(pair)
        if pair in deadly:
            raise DiedError
        return (np.array(pair[0] * 10 + pair[1]),)

    def outer(number):
        pairs = [(number, k) for k in range(3)]
        return (np.array([int(found) for _, (found,) in resumed(pairs, inner)]),)

    def run():
        with resumable(stage):
            first = [found.tolist() for _, (found,) in resumed(range(4), outer)]
            second = [int(found) for _, (found,) in resumed([(7, 7)], inner)]
        return first, second

    with pytest.raises(DiedError):
        run()
    ran.clear()
    deadly.clear()
    expected = [[10 * n + k for k in range(3)] for n in range(4)]
    assert run() == (expected, [77])
    assert ran == [(2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (7, 7)]


def test_without_a_stage_everything_is_computed_and_nothing_written(tmp_path):
    assert [int(x) for _, (x,) in resumed(range(3), lambda n: (np.array(n),))] == [0, 1, 2]
    assert Loop.begin().kept(0) is None
    assert list(tmp_path.iterdir()) == []


def batch_sums(job, size, *, until=None):
    """Sums of 0 to 9 in batches, and the batches that ran."""
    ran = []

    def run(rows):
        if rows.start == until:
            raise DiedError
        ran.append((rows.start, rows.stop))
        return (torch.arange(rows.start, rows.stop).double(),)

    with resumable(job):
        parts = list(resumed_batches(10, size, run))
    assert parts[0][0].start == 0
    assert torch.cat([found for _, (found,) in parts]).tolist() == list(map(float, range(10)))
    return ran


def test_batches_keep_the_sizes_they_had(stage):
    with pytest.raises(DiedError):
        batch_sums(stage, 3, until=6)
    # less memory is free the second time
    assert batch_sums(stage, 2) == [(6, 8), (8, 10)]


def test_tables_are_kept_value_for_value():
    table = pd.DataFrame(
        {
            "n": np.array([1, 2**60], dtype=np.int64),
            "x": [0.1 + 0.2, np.nan],
            "single": np.array([0.1, 1e-30], dtype=np.float32),
            "yes": [True, False],
            "text": ["÷ ≥", ""],
            "mixed": pd.Series([None, "a"], dtype=object),
        }
    )
    pd.testing.assert_frame_equal(unpacked(packed(table)), table, check_exact=True)
    empty = table.iloc[:0]
    pd.testing.assert_frame_equal(unpacked(packed(empty)), empty)
