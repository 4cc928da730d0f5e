"""Checksums go by content, and files that are known are not read again."""

import hashlib
import json
import os

import pytest

from pipeline_lib.models import checksums as module
from pipeline_lib.models.checksums import checksums
from pipeline_lib.models.files import defining_files


def written(path, text, age=10):
    """A file of this text that was changed some seconds ago, as far as its times say."""
    path.write_text(text)
    then = path.stat().st_mtime_ns - age * 10**9
    os.utime(path, ns=(then, then))
    return path


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were read for a checksum; all files count as settled."""
    found, read = [], module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path: found.append(path.name) or read(path))
    monkeypatch.setattr(module, "UNSETTLED", -1.0)
    return found


def test_a_checksum_is_that_of_the_content(tmp_path):
    file = written(tmp_path / "b", "text")
    expected = hashlib.sha256(b"text").hexdigest()
    assert checksums([file], tmp_path / "cache.json") == {"b": expected}


def test_files_come_in_the_order_of_their_names(tmp_path):
    files = [written(tmp_path / name, name) for name in "cab"]
    assert list(checksums(files, tmp_path / "cache.json")) == ["a", "b", "c"]


def test_a_known_file_is_not_read_again(tmp_path, reads):
    files = [written(tmp_path / name, name) for name in "ab"]
    first = checksums(files, tmp_path / "cache.json")
    assert checksums(files, tmp_path / "cache.json") == first
    assert reads == ["a", "b"]


def test_another_content_of_the_same_size_and_age_is_noticed(tmp_path, reads):
    file = written(tmp_path / "a", "one")
    before, stat = checksums([file], tmp_path / "cache.json"), file.stat()
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)
    assert file.stat().st_mtime_ns == stat.st_mtime_ns
    assert checksums([file], tmp_path / "cache.json") != before


def test_a_touched_file_is_read_once_more_and_is_the_same(tmp_path, reads):
    file = written(tmp_path / "a", "one")
    before = checksums([file], tmp_path / "cache.json")
    os.utime(file)
    assert [checksums([file], tmp_path / "cache.json") for _ in range(2)] == [before, before]
    assert reads == ["a", "a"]


def test_a_file_changed_a_moment_ago_is_not_remembered(tmp_path):
    file = tmp_path / "a"
    file.write_text("one")
    checksums([file], tmp_path / "cache.json")
    assert not (tmp_path / "cache.json").exists()


@pytest.mark.parametrize("broken", ["", "[1]", '{"a": 1}', '{"a": [1, 2, 3]}', "\x00"])
def test_a_broken_cache_costs_only_time(tmp_path, reads, broken):
    file = written(tmp_path / "a", "one")
    expected = {"a": hashlib.sha256(b"one").hexdigest()}
    (tmp_path / "cache.json").write_text(broken)
    assert checksums([file], tmp_path / "cache.json") == expected
    assert list(json.loads((tmp_path / "cache.json").read_text())) == [str(file)]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, reads):
    file = written(tmp_path / "a", "one")
    (tmp_path / "file").write_text("")
    assert checksums([file], tmp_path / "file" / "cache.json")["a"]


def test_files_that_are_gone_leave_the_cache(tmp_path, reads):
    a, b = (written(tmp_path / name, name) for name in "ab")
    checksums([a, b], tmp_path / "cache.json")
    a.unlink()
    written(b, "other")
    checksums([b], tmp_path / "cache.json")
    assert list(json.loads((tmp_path / "cache.json").read_text())) == [str(b)]


def test_all_that_says_what_a_model_computes_defines_it(tmp_path):
    defining = [
        "added_tokens.json", "chat_template.jinja", "config.json", "merges.txt",
        "model-00001-of-00002.safetensors", "model.safetensors.index.json",
        "special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer.model",
        "tokenizer_config.json", "vocab.json", "vocab.txt",
    ]  # fmt: skip
    others = ["README.md", "accuracy.csv", "generation_config.json", "manifest.json", "x.bin"]
    for name in [*defining, *others]:
        (tmp_path / name).touch()
    assert [path.name for path in defining_files(tmp_path)] == defining
