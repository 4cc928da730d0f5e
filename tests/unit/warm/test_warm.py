"""Jobs handed over to a server, which here has no library to load."""

import json
import os
import signal
import subprocess
import sys

import pytest

from pipeline_lib.warm import client, protocol, server
from pipeline_lib.warm.launch import environment_of_jobs
from tests.project import ROOT
from tests.unit.warm.serving import SERVE, is_running, job, run, until

WHERE = """
import json, os, sys, tempfile
mask = os.umask(0)
facts = [os.getcwd(), os.environ["MARK"], sys.argv, __name__, mask, tempfile.gettempdir()]
print(json.dumps([os.getppid(), *facts]))
print("and this", file=sys.stderr)
"""


def test_a_job_runs_in_the_server_as_it_would_by_itself(tmp_path, environment, serving):
    own = tmp_path / "own"
    own.mkdir()
    command, environment = job(tmp_path, WHERE), {**environment, "MARK": "here", "TMPDIR": str(own)}
    done = run(command, environment, cwd=tmp_path, umask=0o027)
    parent, *found = json.loads(done.stdout)
    assert parent == serving.pid
    assert found == [str(tmp_path), "here", command[1:], "__main__", 0o027, str(own)]
    assert (done.returncode, done.stderr) == (0, "and this\n")
    environment[protocol.FOLDER_VARIABLE] = "off"
    alone = run(command, environment, cwd=tmp_path, umask=0o027)
    other, *same = json.loads(alone.stdout)
    assert other == os.getpid()
    assert (same, alone.returncode, alone.stderr) == (found, 0, done.stderr)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("import sys; sys.exit()", 0),
        ("raise SystemExit('why')", 1),
        ("import os; os._exit(7)", 7),
        ("def fail():\n    raise ValueError('what')\nfail()", 1),
    ],
)
def test_a_job_ends_as_it_would_by_itself(tmp_path, environment, serving, text, code):
    command = job(tmp_path, text)
    done, alone = run(command, environment), run(command, {**environment, "BAGPIPE_WARM": "off"})
    assert done.returncode == alone.returncode == code
    assert done.stderr == alone.stderr


def test_a_job_that_is_killed_tells_the_signal(tmp_path, environment, serving):
    text = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(job(tmp_path, text), environment).returncode == 128 + signal.SIGKILL


LONG = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path({!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_ends_with_the_process_that_waits_for_it(tmp_path, environment, serving, how):
    """And so does what it started, however Snakemake is stopped."""
    told = tmp_path / "pids"
    waiting = subprocess.Popen(job(tmp_path, LONG.format(str(told))), env=environment)
    until(lambda: told.exists() and len(told.read_text().split()) == 2)
    pids = [int(pid) for pid in told.read_text().split()]
    assert all(map(is_running, pids))
    waiting.send_signal(how)
    waiting.wait()
    until(lambda: not any(map(is_running, pids)))
    assert run(job(tmp_path, "print(1)"), environment).stdout == "1\n"


def test_a_job_whose_server_dies_fails(tmp_path, environment, serving):
    told = tmp_path / "pids"
    command = job(tmp_path, LONG.format(str(told)))
    with (tmp_path / "stderr").open("w") as stderr:
        waiting = subprocess.Popen(command, env=environment, stderr=stderr)
    until(lambda: told.exists() and len(told.read_text().split()) == 2)
    pid, started = map(int, told.read_text().split())
    serving.kill()
    assert waiting.wait(timeout=20) == 1
    assert "has died" in (tmp_path / "stderr").read_text()
    until(lambda: not is_running(pid))
    os.kill(started, signal.SIGKILL)


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "PYTHONHASHSEED", "HF_HOME"])
def test_a_job_under_which_libraries_load_otherwise_runs_by_itself(
    tmp_path, environment, serving, name
):
    done = run(job(tmp_path, "import os; print(os.getppid())"), {**environment, name: "7"})
    assert int(done.stdout) == os.getpid()


def test_the_library_is_the_one_that_lies_there_when_the_job_starts(tmp_path, environment, serving):
    """The server holds its own modules; a job must not see them."""
    text = "import sys; print([m for m in sys.modules if m.startswith('pipeline_lib')])"
    assert run(job(tmp_path, text), environment).stdout == "[]\n"


def test_random_states_differ_between_jobs(tmp_path, environment, serving):
    text = "import random; print(random.random())"
    assert len({run(job(tmp_path, text), environment).stdout for _ in range(3)}) == 3


def test_the_server_goes_with_the_run(tmp_path, folder, environment):
    main = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = protocol.process_name(main.pid)
    running = subprocess.Popen([sys.executable, "-c", SERVE, str(folder), name], env=environment)
    until((folder / protocol.SOCKET).exists)
    main.communicate(b"\n")
    assert running.wait(timeout=20) == 0


def test_a_server_is_started_after_the_first_few_jobs(tmp_path, folder, environment):
    """By one of them, which does not wait for it; once."""
    main = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    environment[protocol.MAIN_VARIABLE] = protocol.process_name(main.pid)
    command = job(tmp_path, "import os; print(os.getppid())")
    for n in range(client.COLD_JOBS):
        assert (folder / protocol.LOCK).exists() == (n >= client.COLD_JOBS)
        assert int(run(command, environment).stdout) == os.getpid()
    until((folder / protocol.SOCKET).exists, seconds=120)
    assert int(run(command, environment).stdout) != os.getpid()
    main.communicate(b"\n")


def test_only_scripts_of_snakemake_are_handed_over():
    assert client.job_script(["python", "/a/.snakemake/scripts/tmp1.rule.py"]) is not None
    for command in (["python", "-c", "1"], ["python", "/a/scripts/tmp.py"], ["python"]):
        assert client.job_script(command) is None


def test_a_folder_that_others_can_enter_is_not_used(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert not protocol.private(tmp_path / "open")
    assert not protocol.private(tmp_path / "link")
    assert not protocol.private(tmp_path / "missing" / "folder")


def test_jobs_find_the_library_and_their_servers_folder(monkeypatch):
    found = environment_of_jobs(ROOT, {"PYTHONPATH": f"/elsewhere{os.pathsep}{ROOT}"})
    assert found["PYTHONPATH"].split(os.pathsep)[1:] == [str(ROOT), "/elsewhere"]
    assert str(os.getpid()) in found[protocol.FOLDER_VARIABLE]
    assert protocol.SHARE_VARIABLE not in found
    assert set(environment_of_jobs(ROOT, {"BAGPIPE_WARM": "off"})) == {"PYTHONPATH"}
    monkeypatch.setattr("sys.platform", "darwin")
    assert set(environment_of_jobs(ROOT, {})) == {"PYTHONPATH"}


def test_models_are_shared_in_an_allocation_unless_told_otherwise():
    for told, expected in (({}, "1"), ({protocol.SHARE_VARIABLE: "0"}, None)):
        found = environment_of_jobs(ROOT, told, share_models=True)
        assert found.get(protocol.SHARE_VARIABLE) == expected


def test_libraries_that_are_missing_are_left_out(capsys):
    server.load(["json", "no_such_library"])
    assert "not loaded: no_such_library" in capsys.readouterr().err


def test_jobs_find_the_libraries_loaded(tmp_path, folder, environment):
    """With the real libraries, some of which change the environment when they load."""
    main = protocol.process_name(os.getpid())
    command = [sys.executable, "-m", "pipeline_lib.warm.server", str(folder), main]
    with subprocess.Popen(command, env=environment, start_new_session=True) as running:
        until((folder / protocol.SOCKET).exists, seconds=60)
        text = "import os, sys; print(os.getppid(), 'torch' in sys.modules)"
        done = run(job(tmp_path, text), environment)
        assert done.stdout.split() == [str(running.pid), "True"]
        running.kill()
