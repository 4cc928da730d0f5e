"""The study power from its pairs to its figures, on a tiny model whose tokens are words."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.artifacts.power import read_power_sweep
from pipeline_lib.figures.sisters import SISTERS
from pipeline_lib.stimuli.power import read_pairs
from tests.e2e.sister_plans import PlannedRun
from tests.power_stand_in import N_HEADS, N_LAYERS, save_power_stand_in
from tests.project import copy_project, planned, said, snakemake

CONFIG = "power_study.yaml"
SIZES = {"residual": 3, "mlp": 2, "heads": 2}
DATA, FIGURES = Path("data/power/words"), Path("figs/power/words")

ASKED = {"power_pairs"}
SWEPT = {"power_sweep", "power_pair", "power_regions", "write_power_findings"}
DRAWN = {"power_baselines", "power_told_apart", "power_pair", "power_regions"}
EVERYTHING = ASKED | SWEPT | DRAWN


FILES = {
    "power_pairs": ["*.csv", "summary.json"],
    "power_sweep": ["sweeps/*"],
}


def configure(project: Path, **power) -> tuple[str, ...]:
    """A config of the study on the stand-in model, at test size."""
    model = {"source": "local", "path": "data/models/words"}
    study = {"models": ["words"], "n_pairs": SIZES, "dpi": 50, **power}
    (project / CONFIG).write_text(json.dumps({"models": {"words": model}, "power": study}))
    return (CONFIG,)


def own_pairs(project: Path, *rows: str) -> str:
    """A table of the user's: some of the shipped pairs and the given rows."""
    pairs = read_pairs()[["name", "power", "no_power"]][:6]
    lines = ["name\tpower\tno_power", *("\t".join(row) for row in pairs.to_numpy()), *rows]
    (project / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return "pairs.tsv"


def due(project: Path, configs: tuple[str, ...] = (CONFIG,)) -> set[str]:
    """Rules that a dry run of the study would start."""
    return set(planned(project, "--nocolor", "power", configs=configs)) - {"power"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The whole study, on six shipped pairs and one of unequal length."""
    project = copy_project(tmp_path_factory.mktemp("power") / "project")
    save_power_stand_in(project / "data" / "models" / "words")
    longer = "Marta\tMarta made the clerk leave the old room.\tMarta saw the clerk leave the room."
    configs = configure(project, pairs=own_pairs(project, longer))
    result = snakemake(project, "power", configs=configs)
    assert result.returncode == 0, said(result)
    return project


@pytest.fixture(scope="module")
def planned_run(finished):
    configure(finished, pairs="pairs.tsv")
    return PlannedRun(finished, "power", "words", (CONFIG,), FILES)


def test_jobs_of_the_plan_are_those_of_the_dag(planned_run):
    assert planned_run.jobs == planned_run.jobs_of_the_dag()


def test_planned_disk_is_within_a_fifth(planned_run):
    assert planned_run.wrong_disk() == {}


def test_planned_flops_are_near_those_that_torch_counts(planned_run):
    assert planned_run.wrong_flops() == {}


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


def test_every_figure_is_there_with_its_numbers(finished):
    for name in SISTERS["power"].figures:
        for ending in ("png", "pdf", "csv"):
            assert (finished / FIGURES / f"{name}.{ending}").stat().st_size > 100, name
        assert len(pd.read_csv(finished / FIGURES / f"{name}.csv")), name


def test_pairs_of_unequal_length_are_listed_skipped_and_counted(finished):
    pairs = pd.read_csv(finished / DATA / "pairs.csv")
    summary = json.loads((finished / DATA / "summary.json").read_text())
    assert pairs["status"].tolist() == ["swept"] * 6 + ["unequal_length"]
    assert summary["counts"]["unequal_length"] == 1
    assert summary["counts"]["swept"] == 6
    page = (finished / FIGURES / "findings.md").read_text()
    assert "1 left out for unequal lengths" in page
    for part, n in SIZES.items():
        lines = read_power_sweep(finished / DATA / "sweeps" / f"{part}.h5").lines
        assert len(lines) == n
        assert pairs["line"].iloc[-1] not in lines


def test_the_last_layer_and_token_give_the_source_and_the_shown_pair_is_the_widest(finished):
    sweep = read_power_sweep(finished / DATA / "sweeps" / "residual.h5")
    assert sweep.after.shape[1:3] == (N_LAYERS + 1, 1)
    np.testing.assert_allclose(sweep.after[:, -1, 0, -1], sweep.source, atol=1e-5)
    heads = read_power_sweep(finished / DATA / "sweeps" / "heads.h5")
    assert heads.after.shape[1:3] == (N_LAYERS, N_HEADS)
    pairs = pd.read_csv(finished / DATA / "pairs.csv").query("status == 'swept'")
    gap = (pairs["source"] - pairs["base"]).abs()
    assert sweep.lines[0] == heads.lines[0] == pairs["line"].loc[gap.idxmax()]
    drawn = pd.read_csv(finished / FIGURES / "pair_residual.csv")
    assert set(drawn["line"]) == {sweep.lines[0]}


def test_a_finished_study_is_up_to_date(project):
    assert due(project) == set()


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"n_pairs": {**SIZES, "mlp": 3}}, SWEPT),
        ({"swept": "ordered"}, EVERYTHING),
        ({"dpi": 60}, DRAWN),
    ],
)
def test_a_change_makes_stale_what_reads_it(project, change, stale):
    configs = configure(project, pairs="pairs.tsv", **change)
    assert due(project, configs) == stale


def test_another_table_asks_everything_again(project):
    own_pairs(project)
    assert due(project) == EVERYTHING


def test_a_name_that_does_not_occur_is_found_before_any_job(project):
    name = own_pairs(project, "Zed\tZed rules.\tZeds run.")
    result = snakemake(project, "power", "--dry-run", configs=configure(project, pairs=name))
    assert result.returncode != 0
    assert "line 8: 'Zed' does not occur in no_power" in said(result)


def test_answers_that_are_no_single_token_stop_the_study(project):
    configs = configure(project, pairs="pairs.tsv", false_variants=[" not at all"])
    result = snakemake(project, "power", configs=configs)
    assert result.returncode != 0
    assert "no variant of an answer as one token" in said(result)
    assert "FALSE: ' not at all'" in said(result)
