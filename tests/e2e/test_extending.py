"""The examples of docs/extending.md, run as they stand there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.scores import KIND
from tests.project import ROOT, copy_project, planned, said, snakemake

PAGE = (ROOT / "docs" / "extending.md").read_text()
STUDY = Path("data/arithmetic/tiny-arith")


def blocks(section: str) -> list[tuple[str, str]]:
    """(language, text) of every fenced block of a section."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)


def add_to(project: Path, section: str) -> None:
    """Apply a section's changes, and write the files whose first line says where they belong."""
    for language, text in blocks(section):
        if language == "diff":
            command = ["git", "apply", "--unsafe-paths", "-C1", "-"]
            done = subprocess.run(
                command, cwd=project, input=text, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        elif text.startswith("# "):
            path, text = text.split("\n", 1)
            (project / path.removeprefix("# ")).write_text(text)
        else:
            (project / "workflow" / "report" / "accuracy_by_size.rst").write_text(text)


@pytest.fixture
def project(finished_project, tmp_path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished_project, tmp_path / "project", symlinks=True))


def test_a_model(tmp_path):
    project = copy_project(tmp_path / "project")
    models = project / "data" / "models"
    shutil.copytree(models / "tiny-arith@step910", models / "my-model")
    (project / "my.yaml").write_text(blocks("A model")[0][1])
    jobs = planned(project, configs=("my.yaml",))
    assert jobs["label_prompts"] == 4
    assert jobs["indirect_effects"] == 20
    command = [sys.executable, "-m", "pipeline_lib", "plan", "--configfile", "my.yaml"]
    plan = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.startswith("my-model: 4 layers")


def test_an_operator_range(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "range.yaml").write_text(blocks("An operator range")[0][1])
    target = STUDY / "prompts" / "sub" / "labelled.csv"
    result = snakemake(project, str(target), configs=("range.yaml",))
    assert result.returncode == 0, said(result)
    labelled = pd.read_csv(project / target)
    assert len(labelled) == 40 * 41 // 2
    assert (labelled["a"].min(), labelled["a"].max()) == (100, 139)
    assert {"label_prompts", "all"} & set(planned(project, configs=("range.yaml",)))


def test_a_heuristic_type(project):
    path = STUDY / "heuristics" / "add_scores.h5"
    before = heuristics(project / path)
    add_to(project, "A heuristic type")
    stale = planned(project)
    assert {"score_heuristics", "fig05_heuristic_types", "knock_out_prompts"} <= set(stale)
    assert "neuron_maps" not in stale
    figure = "figs/arithmetic/tiny-arith/fig05_heuristic_types.png"
    result = snakemake(project, figure, "--until", "fig05_heuristic_types")
    assert result.returncode == 0, said(result)
    assert set(heuristics(project / path)) - set(before) == {"pair_carry"}
    types = pd.read_csv(project / "figs/arithmetic/tiny-arith/fig05_heuristic_types.csv")["type"]
    assert "carry" in set(types)


def heuristics(path: Path) -> list[str]:
    with store.open_artifact(path, KIND) as artifact:
        return [str(name) for name in artifact.coords("heuristic")]


def test_a_figure(project):
    add_to(project, "A figure")
    figure = Path("figs/arithmetic/tiny-arith/accuracy_by_size.png")
    assert planned(project) == {"accuracy_by_size": 1}
    result = snakemake(project, str(figure))
    assert result.returncode == 0, said(result)
    assert (project / figure).read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv((project / figure).with_suffix(".csv")).query("operator == 'mul'")
    labelled = pd.read_csv(project / STUDY / "prompts" / "mul" / "labelled.csv")
    for row in table.itertuples():
        answers = labelled[labelled["answer"].between(row.answer, row.answer + 99)]
        assert row.accuracy == pytest.approx((answers["label"] == "correct").mean())
        assert row.low <= row.accuracy <= row.high + 1e-12
