"""Jobs that share a model run one after the other in a process that stays."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.models import opening
from pipeline_lib.models.manifest import describe_model
from pipeline_lib.warm import client, process, protocol
from pipeline_lib.warm.resident import Resident
from tests.unit.warm.serving import is_running, job, run, until

# what a script that shares a model says; none of these opens one
OPENS = "# open_model(\n"
PID = "import os; print(os.getpid())"


@pytest.fixture
def sharing(environment):
    return {**environment, protocol.SHARE_VARIABLE: "1"}


def test_jobs_that_open_models_follow_each_other_in_one_process(tmp_path, sharing, serving):
    pids = {run(job(tmp_path, OPENS + PID), sharing).stdout for _ in range(3)}
    assert len(pids) == 1
    assert run(job(tmp_path, PID), sharing).stdout not in pids
    unshared = {**sharing, protocol.SHARE_VARIABLE: "0"}
    assert run(job(tmp_path, OPENS + PID), unshared).stdout not in pids


def test_each_job_has_its_own_surroundings(tmp_path, sharing, serving):
    text = OPENS + "import os, sys; print(os.getcwd(), os.environ['MARK'], sys.argv[0])"
    text += "; print('told', file=sys.stderr)"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command = job(tmp_path, text)
        done = run(command, {**sharing, "MARK": name}, cwd=tmp_path / name)
        assert done.stdout.split() == [str(tmp_path / name), name, command[1]]
        assert done.stderr == "told\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("raise ValueError('what')", 1),
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_jobs_after_one_that_fails_run_all_the_same(tmp_path, sharing, serving, text, code):
    before = run(job(tmp_path, OPENS + PID), sharing).stdout
    assert run(job(tmp_path, OPENS + text), sharing).returncode == code
    after = run(job(tmp_path, OPENS + PID), sharing)
    assert after.returncode == 0
    # a process that a job has ended is replaced
    assert (after.stdout == before) == (code in (3, 1))


HOLD = """
import os, pathlib, time
pathlib.Path({!r}).write_text(str(os.getpid()))
time.sleep(60)
"""


def test_jobs_at_the_same_time_have_processes_of_their_own(tmp_path, sharing, serving):
    told = tmp_path / "pid"
    waiting = subprocess.Popen(job(tmp_path, OPENS + HOLD.format(str(told))), env=sharing)
    until(lambda: told.exists() and told.read_text())
    assert run(job(tmp_path, OPENS + PID), sharing).stdout.strip() != told.read_text()
    waiting.kill()
    waiting.wait()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_ends_with_the_process_that_waits_for_it(tmp_path, sharing, serving, how):
    told = tmp_path / "pid"
    waiting = subprocess.Popen(job(tmp_path, OPENS + HOLD.format(str(told))), env=sharing)
    until(lambda: told.exists() and told.read_text())
    waiting.send_signal(how)
    waiting.wait()
    until(lambda: not is_running(int(told.read_text())))
    assert run(job(tmp_path, OPENS + "print(1)"), sharing).stdout == "1\n"


TIDY = """
import os, pathlib, signal, sys, time
def tidy(*_):
    time.sleep(0.5)
    pathlib.Path({done!r}).write_text("kept")
    sys.exit(143)
signal.signal(signal.SIGTERM, tidy)
pathlib.Path({told!r}).write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.parametrize("opens", [OPENS, ""], ids=["stays", "forked"])
def test_jobs_of_an_allocation_that_is_cancelled_have_time_to_stop(
    tmp_path, sharing, serving, opens
):
    """As when a job of the queue is cancelled: every process of it gets the signal."""
    told, done = tmp_path / "pid", tmp_path / "done"
    text = opens + TIDY.format(told=str(told), done=str(done))
    waiting = subprocess.Popen(job(tmp_path, text), env=sharing)
    until(lambda: told.exists() and told.read_text())
    for pid in (serving.pid, waiting.pid, int(told.read_text())):
        os.kill(pid, signal.SIGTERM)
    until(lambda: done.exists() and done.read_text())
    assert done.read_text() == "kept"
    assert waiting.wait() != 0


def test_processes_that_stay_go_with_the_server(tmp_path, sharing, serving):
    pid = int(run(job(tmp_path, OPENS + PID), sharing).stdout)
    assert is_running(pid)
    serving.kill()
    until(lambda: not is_running(pid))


def test_the_first_job_starts_the_server_and_waits_for_it(tmp_path, folder, sharing):
    main = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    sharing[protocol.MAIN_VARIABLE] = protocol.process_name(main.pid)
    text = OPENS + "import os, sys; print(os.getpid(), 'torch' in sys.modules)"
    first, second = (run(job(tmp_path, text), sharing).stdout.split() for _ in range(2))
    assert first == second
    assert first[1] == "True"
    main.communicate(b"\n")


def test_scripts_that_open_a_model_are_known_by_their_text(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("model = open_model(manifest)")
    assert not client.shares_a_model(str(script))
    monkeypatch.setenv(protocol.SHARE_VARIABLE, "1")
    assert client.shares_a_model(str(script))
    script.write_text("model = None")
    assert not client.shares_a_model(str(script))


def test_the_library_is_loaded_anew_when_a_file_of_it_changes(monkeypatch, tmp_path):
    """Else a job would run code that no longer lies there."""
    forgotten = []
    monkeypatch.setattr(process, "forget_library", lambda: forgotten.append(True))
    monkeypatch.setattr(process, "take_on", lambda request, streams: None)
    monkeypatch.setattr(process, "run", lambda script: 0)
    monkeypatch.setattr("pipeline_lib.warm.resident._let_go", lambda: None)
    monkeypatch.setattr("pipeline_lib.warm.resident._measure_peak_anew", lambda: None)
    module = tmp_path / "module.py"
    module.write_text("a = 1")
    monkeypatch.setattr("pipeline_lib.warm.resident._library_files", lambda: [str(module)])
    before = [signal.getsignal(signal.SIGTERM)]
    resident = Resident()
    for changed in (False, False, True, False):
        if changed:
            module.write_text("a = 22")
        resident.run({"script": "x"}, [])
        assert len(forgotten) == int(changed)
        forgotten.clear()
    signal.signal(signal.SIGTERM, before[0])


@pytest.fixture
def manifest(tmp_path, model_folder, monkeypatch):
    """A manifest of a tiny model in a folder that may be changed; models are left for the next."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in model_folder("llama").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(describe_model(folder, "tiny", {"source": "local"})))
    monkeypatch.setenv(protocol.SHARE_VARIABLE, "1")
    monkeypatch.setattr(opening, "_left", {})
    return path


def opened(manifest, dtype="float32", **options):
    return opening.open_model(manifest, dtype=dtype, device_map="cpu", **options)


def test_the_next_job_finds_the_model(manifest):
    model = opened(manifest)
    opening.leave_model()
    assert opened(manifest) is model


def test_another_model_takes_its_place(manifest):
    model = opened(manifest)
    other = opened(manifest, "float64")
    assert other is not model
    assert list(opening._left.values()) == [other]


def test_changed_weights_are_loaded(manifest):
    model = opened(manifest)
    os.utime(next((manifest.parent / "model").glob("*.safetensors")), (1, 1))
    assert opened(manifest) is not model


def test_a_model_that_will_be_changed_is_no_one_elses(manifest):
    model = opened(manifest)
    own = opened(manifest, own=True)
    assert own is not model
    assert opened(manifest) is not own


def test_a_model_with_hooks_does_not_stay(manifest):
    model = opened(manifest)
    model.layers[0].register_forward_hook(lambda *_: None)
    opening.leave_model()
    assert opened(manifest) is not model


def test_elsewhere_every_call_loads(manifest, monkeypatch):
    monkeypatch.delenv(protocol.SHARE_VARIABLE)
    assert opened(manifest) is not opened(manifest)
    assert not opening._left


def test_adapters_that_open_a_model_say_so_in_their_text():
    """By this they are known before they run."""
    scripts = Path(__file__).parents[3] / "workflow" / "scripts"
    texts = {path.stem: path.read_text() for path in scripts.glob("*.py")}
    opening_ones = {name for name, text in texts.items() if "models.opening" in text}
    assert opening_ones == {name for name, text in texts.items() if "open_model(" in text}
    assert len(opening_ones) > 20
