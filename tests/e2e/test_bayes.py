"""The whole study bayes on a tiny model whose tokenizer writes its prompts word by word."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures.sisters import SISTERS
from pipeline_lib.plan import Expected
from tests.conftest import BAYES_CONFIGS
from tests.e2e.sister_plans import PlannedRun
from tests.project import said, snakemake

STUDY = SISTERS["bayes"]


FILES = {
    "bayes_answers": ["answers.csv", "scores.csv", "lens*.csv"],
    "bayes_probe": ["probe*"],
    "bayes_heads": ["pairs.csv", "heads*.csv", "costs.csv"],
    "bayes_steering": ["edits.csv", "slopes.csv"],
}


@pytest.fixture(scope="module")
def project(bayes_project):
    return bayes_project


@pytest.fixture(scope="module")
def figures(project):
    return project / "figs" / "bayes" / "words"


@pytest.fixture(scope="module")
def data(project):
    return project / "data" / "bayes" / "words"


def test_every_figure_and_page_is_there(figures):
    for name in STUDY.figures:
        assert (figures / f"{name}.pdf").stat().st_size > 1000
        assert (figures / f"{name}.png").stat().st_size > 1000
        assert len(pd.read_csv(figures / f"{name}.csv")), name
    assert [page for page in STUDY.pages if not (figures / page).exists()] == []


def test_the_page_is_filled_and_shows_figures_beside_it(figures):
    page = (figures / "findings.md").read_text(encoding="utf-8")
    assert re.search(r"\$|\bnan\b|None", page) is None
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) >= 6
    assert [link for link in links if not (figures / link).exists()] == []
    assert re.search(r"\*\*This model (does|cannot do) the task", page)


def test_the_lens_ends_in_the_answers(data):
    lens, answers = pd.read_csv(data / "lens.csv"), pd.read_csv(data / "answers.csv")
    last = lens[lens["layer"] == 3].reset_index(drop=True)
    np.testing.assert_allclose(last["p_x"], answers["p_x"], atol=1e-5)
    logit = answers["n_x"] * np.log(1.5) - (10 - answers["n_x"]) * np.log(2)
    np.testing.assert_allclose(answers["bayes"], 0.5 + 0.25 / (1 + np.exp(-logit)))


def test_costs_and_counts_are_those_of_the_sweeps(data, figures):
    costs = pd.read_csv(data / "costs.csv").set_index("sweep")
    pairs = pd.read_csv(data / "pairs.csv")
    swept = int((pairs["status"] == "swept").sum())
    assert costs.loc["heads", "patches"] == swept * 16 == costs.loc["control", "patches"]
    page = (figures / "findings.md").read_text(encoding="utf-8")
    assert f"Of {len(pairs)} pairs of prompts, {swept} were patched." in page


def test_the_steered_layer_is_the_probes_best(data):
    scores, slopes = pd.read_csv(data / "probe_scores.csv"), pd.read_csv(data / "slopes.csv")
    best = scores.loc[scores["best"], "layer"].unique()
    assert slopes["layer"].unique().tolist() == best.tolist()
    with store.open_artifact(data / "probe.h5", "belief_probe") as artifact:
        assert int(artifact.read("best_layer")) == best[0]
        assert artifact.read("directions").shape == (2, 32)


@pytest.fixture(scope="module")
def planned_run(project, data):
    swept = int((pd.read_csv(data / "pairs.csv")["status"] == "swept").sum())
    told = Expected(passing_pairs=swept)
    return PlannedRun(project, "bayes", "words", BAYES_CONFIGS, FILES, told)


def test_jobs_of_the_plan_are_those_of_the_dag(planned_run):
    assert planned_run.jobs == planned_run.jobs_of_the_dag()


def test_planned_disk_is_within_a_fifth(planned_run):
    assert planned_run.wrong_disk() == {}


def test_planned_flops_are_near_those_that_torch_counts(planned_run):
    assert planned_run.wrong_flops() == {}


def test_outcomes_that_cannot_be_read_are_one_clear_error(project, tmp_path):
    copied = Path(shutil.copytree(project, tmp_path / "project", symlinks=True))
    (copied / "wrong.yaml").write_text('bayes: {outcomes: ["Quick", "Y"]}')
    configs = (*BAYES_CONFIGS, "wrong.yaml")
    result = snakemake(copied, "data/bayes/words/heads.csv", configs=configs)
    assert result.returncode != 0
    assert "no variant of an answer as one token" in said(result)
