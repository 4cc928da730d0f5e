"""Results that nobody has recorded are taken back by the same work, and by no other."""

import json
import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline_lib import finished, store
from pipeline_lib.finished import KEEP_VARIABLE, forget_heard, mark_unheard
from pipeline_lib.pieces import resumable


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEEP_VARIABLE, "1")
    store.write_artifact(
        "in.h5", "k", {"x": store.Array(np.arange(3), ("n",))}, coords={}, provenance={}
    )
    return tmp_path


def job(**params):
    outputs = ["data/a.csv", "data/sub/b.csv"]
    return SimpleNamespace(input=["in.h5"], output=outputs, params=params, wildcards={})


def run(rule, text="x"):
    """Whether the job did its work; what it writes does not matter to its key."""
    worked = []
    with suppress(SystemExit), resumable(rule):
        worked.append(True)
        for output in rule.output:
            with store.atomic_path(output) as temporary:
                temporary.write_text(text)
    return bool(worked)


def record(output, at=None):
    """Write Snakemake's record of an output, as a main process does."""
    path = finished.RECORDS / finished._record_name(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rule": "r"}))
    if at is not None:
        os.utime(path, (at, at))


def marked():
    return {path.name for path in finished.INCOMPLETE.rglob("*") if path.is_file()}


def test_a_result_that_was_deleted_is_taken_back(project):
    assert run(job(a=1), "first")
    for output in job().output:
        Path(output).unlink()
    assert not run(job(a=1), "second")
    assert [Path(output).read_text() for output in job().output] == ["first", "first"]


def test_other_work_is_done(project):
    assert run(job(a=1))
    assert run(job(a=2))
    # and has taken the place of what was kept
    assert run(job(a=1))


def test_an_input_made_again_with_the_same_content_is_the_same(project):
    assert run(job(a=1))
    os.utime("in.h5", (1, 1))
    assert not run(job(a=1))


def test_an_input_with_other_content_is_other_work(project):
    assert run(job(a=1))
    store.write_artifact(
        "in.h5", "k", {"x": store.Array(np.arange(4), ("n",))}, coords={}, provenance={}
    )
    assert run(job(a=1))


def test_elsewhere_than_on_a_cluster_nothing_is_kept(project, monkeypatch):
    monkeypatch.delenv(KEEP_VARIABLE)
    assert run(job(a=1))
    assert run(job(a=1))
    assert not list(project.rglob("*.pieces"))


def test_results_take_no_space_twice(project):
    run(job(a=1))
    assert all(os.stat(output).st_nlink == 2 for output in job().output)


def test_where_links_cannot_be_made_nothing_is_kept(project, monkeypatch):
    def refuse(*args):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert run(job(a=1))
    assert not list(project.rglob("*.pieces"))
    assert not list(finished.NOTES.glob("*"))


def test_results_without_a_record_are_marked_as_incomplete(project):
    run(job(a=1))
    assert mark_unheard(project) == job().output
    names = {finished._record_name(output).name for output in job().output}
    assert marked() == names


def test_results_recorded_before_they_were_made_are_marked(project):
    for output in job().output:
        record(output, at=1)
    run(job(a=1))
    assert mark_unheard(project) == job().output


def test_results_that_are_gone_or_recorded_are_not_marked(project):
    run(job(a=1))
    Path("data/a.csv").unlink()
    record("data/sub/b.csv")
    assert mark_unheard(project) == []
    assert marked() == set()


def test_a_torn_record_counts_as_none(project):
    run(job(a=1))
    record("data/a.csv")
    record("data/sub/b.csv")
    (finished.RECORDS / finished._record_name("data/a.csv")).write_text('{"rule": "r')
    assert mark_unheard(project) == ["data/a.csv"]


def test_after_a_good_run_only_what_was_recorded_is_forgotten(project):
    run(job(a=1))
    forget_heard(project)
    assert not run(job(a=1))
    for output in job().output:
        record(output)
    forget_heard(project)
    assert not list(project.rglob("*.pieces"))
    assert not list(finished.NOTES.glob("*"))
    assert Path("data/a.csv").exists()
    assert run(job(a=1))


def test_names_of_records_are_snakemakes():
    persistence = pytest.importorskip("snakemake.persistence.file").FilePersistence
    for output in ("data/a.csv", "data/" + "long" * 100 + "/ä.h5"):
        given = SimpleNamespace(_fetch_max_len=lambda _: 255)
        theirs = persistence._record_path(given, "records", output)
        assert str(Path("records") / finished._record_name(output)) == theirs


def test_a_damaged_note_is_passed_over(project):
    run(job(a=1))
    note = next(finished.NOTES.glob("*.json"))
    note.write_text("{")
    assert mark_unheard(project) == []
    forget_heard(project)
