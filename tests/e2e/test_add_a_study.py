"""The study of docs/add_a_study.md, applied and run as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.models.loading import load_model
from pipeline_lib.rng import generator
from tests.power_stand_in import save_model_of_words
from tests.project import ROOT, copy_project, said, snakemake

PAGE = (ROOT / "docs" / "add_a_study.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)
DIGITS = r"\d| ?[^\W\d]+| (?=\d)|[^\w\s]"
CONFIG = """
models: {digits: {source: local, path: data/models/digits}}
greater_than: {models: [digits], prompts: 12, dpi: 50}
"""


def added(language: str, text: str) -> list[str]:
    """Lines of code that a block adds: neither blank lines nor the path in the first one."""
    lines = text.splitlines()
    if language == "diff":
        return [line for line in lines if line.startswith("+") and not line.startswith("+++")]
    return [line for line in lines[1:] if line.strip()] if text.startswith("# ") else []


def add_to(project: Path) -> None:
    """Write the files whose first line says where they belong, apply the changes, the caption."""
    for language, text in BLOCKS:
        if language == "diff":
            command = ["git", "apply", "--unsafe-paths", "-C1", "-"]
            done = subprocess.run(
                command, cwd=project, input=text, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            continue
        path, text = (
            text.split("\n", 1)
            if text.startswith("# ")
            else ("# workflow/report/greater_than/layers.rst", text)
        )
        file = project / path.removeprefix("# ")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The new study, run in a copy of the project on a tiny model that writes digits one by one."""
    project = copy_project(tmp_path_factory.mktemp("study") / "project")
    add_to(project)
    texts = ["The war lasted from 1732 to 17", "0 1 2 3 4 5 6 7 8 9"]
    save_model_of_words(project / "data" / "models" / "digits", texts, pattern=DIGITS)
    (project / "greater.yaml").write_text(CONFIG)
    result = snakemake(project, "greater_than", configs=("greater.yaml",))
    assert result.returncode == 0, said(result)
    return project


def test_a_study_is_less_than_a_hundred_lines():
    lines = [line for language, text in BLOCKS for line in added(language, text)]
    assert 60 < len(lines) < 100


def test_it_draws_its_figure_from_its_sweep(finished):
    folder = finished / "figs" / "greater_than" / "digits"
    assert (folder / "layers.png").read_bytes().startswith(b"\x89PNG")
    drawn = pd.read_csv(folder / "layers.csv")
    assert set(drawn["position"]) == {"decade", "last token"}
    assert drawn["n"].eq(12).all()
    assert drawn["effect"].between(-1, 1).all()
    assert (drawn["low"] <= drawn["effect"]).all()


def margins(model, run: np.ndarray, decades: np.ndarray) -> list[float]:
    """P(later) - P(earlier decade) of prompts, from plain forward passes."""
    digits = model.tokenizer.convert_tokens_to_ids(list("0123456789"))
    found = []
    for written, decade in zip(run, decades, strict=True):
        ids = model.tokenizer(f"The war lasted from 17{written}2 to 17", return_tensors="pt")
        with torch.no_grad():
            p = model.hf(ids["input_ids"]).logits[0, -1, digits].softmax(-1)
        found.append(float(p[decade + 1 :].sum() - p[:decade].sum()))
    return found


def test_its_numbers_are_those_of_plain_forward_passes(finished):
    """Unpatched, where nothing reads the patch; and the other run's own, where all is patched."""
    model = load_model(finished / "data" / "models" / "digits")
    clean, other = generator(42, "greater_than").integers([[5], [1]], [[9], [5]], (2, 12))
    table = pd.read_csv(finished / "data" / "greater_than" / "digits" / "sweep.csv")
    cells = table.set_index(["layer", "position"])["effect"]
    unpatched, patched = (np.mean(margins(model, run, clean)) for run in (clean, other))
    assert abs(unpatched - patched) > 1e-3
    assert cells[model.n_layers - 1, "decade"] == pytest.approx(unpatched, abs=1e-5)
    assert cells[model.n_layers - 1, "last token"] == pytest.approx(patched, abs=1e-5)
    assert table["metric_before"].to_numpy() == pytest.approx(unpatched, abs=1e-5)


def test_its_section_of_the_config_is_strict(finished):
    (finished / "wrong.yaml").write_text("greater_than: {prompt: 3}")
    result = snakemake(finished, "greater_than", "-n", configs=("greater.yaml", "wrong.yaml"))
    assert result.returncode != 0
    assert "prompts" in said(result)


def test_the_schema_is_renewed_by_the_command_of_the_page(finished):
    command = [sys.executable, "-m", "pipeline_lib", "schema", "--write"]
    done = subprocess.run(command, cwd=finished, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "greater_than.prompts" in (finished / "config" / "README.md").read_text()
