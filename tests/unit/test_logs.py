"""Logs of jobs: header, progress, and errors without a traceback on the terminal."""

import logging
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pipeline_lib import logs
from pipeline_lib.errors import ModelError

ROOT = Path(__file__).parents[2]


def test_log_has_header_messages_and_duration(tmp_path, capsys):
    path = tmp_path / "deep" / "job.log"
    with logs.job(path, config="abc123"):
        logging.getLogger("pipeline_lib.somewhere").info("half way")
    text = path.read_text()
    for part in ("started: ", "python 3.", "torch ", "revision: ", "config: abc123"):
        assert part in text
    assert "half way" in text
    assert "done in" in text
    assert 10 < int(re.search(r"peak memory (\d+) MB", text)[1]) < 100_000
    assert capsys.readouterr().err == ""


def test_warnings_go_to_log_and_terminal(tmp_path, capsys):
    with warnings.catch_warnings(), logs.job(tmp_path / "job.log"):
        warnings.simplefilter("always")
        warnings.warn("strange neuron", stacklevel=1)
    assert "strange neuron" in (tmp_path / "job.log").read_text()
    assert "strange neuron" in capsys.readouterr().err


def test_error_of_ours_is_a_message_and_exit_code_1(tmp_path):
    code = (
        "import sys\nfrom pipeline_lib.logs import job\n"
        "from pipeline_lib.errors import ModelError\n"
        "with job(sys.argv[1]):\n    raise ModelError('no weights', where='x', hint='get some')"
    )
    path = tmp_path / "job.log"
    run = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "no weights" in run.stderr
    assert "Hint:  get some" in run.stderr
    assert "Traceback" not in run.stderr
    assert "Hint:  get some" in path.read_text()
    assert "Traceback" not in path.read_text()
    assert "ModelError" in (tmp_path / "job.log.traceback").read_text()


def test_traceback_of_an_earlier_run_is_removed(tmp_path):
    with pytest.raises(SystemExit), logs.job(tmp_path / "job.log"):
        raise ModelError("no weights")
    with logs.job(tmp_path / "job.log"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["job.log"]


def test_unexpected_error_is_logged_and_goes_on(tmp_path):
    with pytest.raises(ZeroDivisionError), logs.job(tmp_path / "job.log"):
        _ = 1 / 0
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()


def test_logging_is_as_before_after_a_job(tmp_path):
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with pytest.raises(SystemExit), logs.job(tmp_path / "job.log"):
        raise ModelError("no weights")
    assert (root.level, list(root.handlers)) == before


def test_progress_writes_lines_to_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "SECONDS_BETWEEN_LINES", 0.0)
    with logs.job(tmp_path / "job.log"):
        assert list(logs.progress([5, 6, 7, 8], "patching", unit="batch")) == [5, 6, 7, 8]
        assert list(logs.progress(iter([1, 2]), "reading")) == [1, 2]
        assert list(logs.progress([], "nothing")) == []
    text = (tmp_path / "job.log").read_text()
    assert "patching: 2/4 batch (50%)" in text
    assert "patching: 4 batch in" in text
    assert "reading: 1 it, " in text
    assert "nothing: 0 it in" in text


def test_git_revision(tmp_path):
    assert logs.git_revision(tmp_path) == "none"
