"""The command: its table, its last line, its CSV, its speed."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml

from pipeline_lib.__main__ import main
from pipeline_lib.config import SISTERS
from pipeline_lib.plan import assumed_throughput, make_plan, plan_text
from pipeline_lib.plan.calibrate import measured_throughput
from tests.project import ROOT
from tests.unit.plan.conftest import HUB


@pytest.fixture
def said(monkeypatch, capsys):
    """What the command prints, run in the project."""

    def run(*arguments):
        monkeypatch.chdir(ROOT)
        code = main(["plan", *map(str, arguments)])
        printed = capsys.readouterr()
        assert code == (1 if printed.err else 0)
        return printed.out + printed.err

    return run


def last_line(text):
    return dict(pair.split("=") for pair in text.splitlines()[-1].split())


def test_the_last_line_sums_the_table(said, tmp_path):
    text = said("--csv", tmp_path / "plan.csv")
    table, last = pd.read_csv(tmp_path / "plan.csv"), last_line(text)
    assert last["models"] == "1"
    assert int(last["jobs"]) == table["jobs"].sum()
    assert float(last["flops"]) == pytest.approx(table["flops"].sum(), rel=1e-3)
    assert int(last["disk_bytes"]) == table["disk_bytes"].sum()
    assert int(last["peak_memory_bytes"]) == table["memory_bytes"].max()
    for stage in table["stage"]:
        assert stage in text
    assert "of up to 2,792" in text


def test_a_stated_throughput_counts(said):
    slow, fast = (last_line(said("--throughput", rate)) for rate in (1e-5, 1e-4))
    start = float(last_line(said("--throughput", 1e6))["core_hours"])
    times = [float(line["core_hours"]) - start for line in (slow, fast)]
    assert times[0] == pytest.approx(float(slow["flops"]) / 1e7 / 3600, rel=0.01)
    assert times[0] / times[1] == pytest.approx(10, rel=0.01)


def test_gpu_hours_count_every_gpu(said):
    one, four = (
        last_line(said("--configfile", f"config/models/{name}.yaml", "--throughput", 1e9))
        for name in ("llama3-8b", "llama3-70b")
    )
    # only starting is left: 15 rules with a model of 16 or 141 GB a job, on one or four GPUs
    assert float(one["gpu_hours"]) > 0
    assert float(four["gpu_hours"]) > 4 * 5 * float(one["gpu_hours"])


def test_config_options_are_those_of_snakemake(said):
    five = last_line(said())
    three = last_line(said("--config", "arithmetic={seeds: [42, 7, 8]}", "preset=authors"))
    # a seed is a pair table, an activation file and an effects file for each operator
    assert int(five["jobs"]) - int(three["jobs"]) == 2 * 3 * 4
    assert three["disk_bytes"] < five["disk_bytes"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config", "preset"], "key=value"),
        (["--config", "arithmetic={seeds: ["], "YAML"),
        (["--config", "preset=mine"], "preset"),
        (["--configfile", "none.yaml"], "cannot be read"),
    ],
)
def test_wrong_options_are_told(said, arguments, told):
    text = said(*arguments)
    assert text.startswith("Error: ")
    assert told in text


def test_the_shapes_of_the_shipped_models_are_enough(said):
    for file in (ROOT / "config" / "models").glob("*.yaml"):
        studied = {"arithmetic", *SISTERS} & set(yaml.safe_load(file.read_text()))
        text = said("--configfile", file, "--study", *sorted(studied))
        assert text.startswith(file.stem)
        assert " GPU " in text or "arithmetic" not in studied
        assert len(studied) == text.count("stage  ")


def test_named_studies_are_planned_alone(said, tmp_path):
    text = said("--study", "induction", "bayes", "--csv", tmp_path / "plan.csv")
    table = pd.read_csv(tmp_path / "plan.csv")
    assert list(dict.fromkeys(table["study"])) == ["induction", "bayes"]
    assert set(table["model"]) == {"tiny-induction", "smollm2-135m"}
    assert last_line(text)["models"] == "2"
    assert "tiny-induction, induction: 2 layers" in text
    assert "- induction: the strongest heads" in text
    assert "- power:" not in text


def test_all_studies_are_planned_with_their_config(said):
    text = said("--configfile", "config/studies.yaml")
    for name in SISTERS:
        assert f", {name}: " in text
    assert text.startswith("tiny-arith: ")


def test_plans_of_all_studies_load_no_torch():
    code = (
        "import sys; from pipeline_lib.__main__ import main; "
        "main(['plan', '--configfile', 'config/studies.yaml']); "
        "print([m for m in ('torch', 'transformers', 'snakemake') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_checkpoints_share_a_table(config):
    names = [f"tiny-arith@{step}" for step in ("step0", "step65", "step130")]
    plans = make_plan(config({"arithmetic": {"models": names}}), ROOT)
    text = plan_text(plans, assumed_throughput)
    assert text.count("stage   ") == 1
    assert "tiny-arith@step0 and 2 more checkpoints" in text
    assert int(last_line(text)["jobs"]) == 3 * sum(stage.jobs for stage in plans[0].stages)


def test_calibration_measures_this_machine(config, plan):
    planned = plan()
    rate = measured_throughput([planned], seconds=0.2)(planned)
    assert 1e-4 < rate.tflops < 1e4
    assert "measured here" in str(rate)


@pytest.mark.slow
def test_sixteen_thousand_jobs_are_planned_at_once(tmp_path):
    steps = [f"step{n}" for n in range(13)]
    study = {
        "models": {f"some{i}": {**HUB, "checkpoints": steps} for i in range(4)},
        "arithmetic": {
            "models": [f"some{i}{at}" for i in range(4) for at in ("", *(f"@{s}" for s in steps))],
            "seeds": list(range(42, 62)),
        },
    }
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(study))
    code = (
        "import sys, time; from pipeline_lib.__main__ import main; "
        f"code = main(['plan', '--configfile', {str(tmp_path / 'large.yaml')!r}]); "
        "print(time.process_time(), [m for m in ('torch', 'snakemake') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *text, last = result.stdout.splitlines()
    seconds, heavy = last.split(maxsplit=1)
    assert heavy == "[]"
    assert float(seconds) < 4  # of processor time; 1 on an idle machine
    assert int(last_line("\n".join(text))["jobs"]) > 16_000
