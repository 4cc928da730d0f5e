"""Analyses of code are found again in the next process, and never wrongly."""

import json

import pytest

from pipeline_lib import code_memory, fingerprint
from pipeline_lib.code_memory import keep, open_reader, record, recorded

MODULE = "pipeline_lib/salt.py"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pipeline_lib").mkdir()
    (tmp_path / "pipeline_lib" / "__init__.py").write_text("")
    (tmp_path / MODULE).write_text('AMOUNT = "grain.txt"\n')
    (tmp_path / "pipeline_lib" / "grain.txt").write_text("1")
    (tmp_path / "script.py").write_text("from pipeline_lib.salt import AMOUNT\n")
    return tmp_path


@pytest.fixture
def parsed(monkeypatch):
    """Files that had to be analysed."""
    found = []
    analyse = fingerprint._analyse
    monkeypatch.setattr(
        fingerprint, "_analyse", lambda path, *rest: found.append(path.name) or analyse(path, *rest)
    )
    return found


def explain(project, memory="memory.json"):
    reader = open_reader(project, project / memory)
    parts = reader.explain(project / "script.py")
    keep(reader, project / memory)
    return parts


def test_analyses_only_what_changed(project, parsed):
    first = explain(project)
    assert sorted(parsed) == ["__init__.py", "salt.py", "script.py"]
    parsed.clear()
    assert explain(project) == first == fingerprint.explain(project / "script.py", root=project)
    parsed.clear()
    (project / MODULE).write_text("AMOUNT = 2\n")
    changed = explain(project)
    assert parsed == ["salt.py"]
    assert changed["pipeline_lib.salt"] != first["pipeline_lib.salt"]


def test_data_files_are_read_every_time(project):
    first = explain(project)
    (project / "pipeline_lib" / "grain.txt").write_text("2")
    assert explain(project) != first


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"modules": "{}"}', "flip"])
def test_a_damaged_memory_is_forgotten(project, damage, parsed):
    first = explain(project)
    memory = project / "memory.json"
    text = memory.read_text()
    digest = first["pipeline_lib.salt"]
    memory.write_text(text.replace(digest, "0" * 16) if damage == "flip" else damage)
    parsed.clear()
    assert explain(project) == first
    assert parsed
    assert memory.read_text() == text


def test_what_another_analysis_made_is_forgotten(project, parsed, monkeypatch):
    explain(project)
    parsed.clear()
    monkeypatch.setattr(code_memory, "_maker", lambda: "another version")
    explain(project)
    assert parsed


def test_a_folder_that_cannot_be_written_does_no_harm(project):
    (project / "file").write_text("")
    assert explain(project, "file/memory.json") == explain(project)
    assert not list(project.glob(".*.part"))


def test_records_what_fingerprints_are_made_of(tmp_path):
    parts = {"a" * 16: {"script": "1"}}
    record(parts, tmp_path / "code")
    record({"a" * 16: {"script": "2"}}, tmp_path / "code")  # a fingerprint has one meaning
    assert recorded("a" * 16, tmp_path / "code") == {"script": "1"}
    assert recorded("b" * 16, tmp_path / "code") is None
    assert json.loads((tmp_path / "code" / f"{'a' * 16}.json").read_text()) == {"script": "1"}
