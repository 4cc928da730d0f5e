"""The whole study odd one out at test size on a small stand-in model."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline_lib import store
from pipeline_lib.figures.sisters import SISTERS
from pipeline_lib.plan import Expected
from tests.e2e.sister_plans import PlannedRun
from tests.odd_stand_in import save_odd_stand_in
from tests.project import copy_project, planned, said, snakemake

FOLDER = Path("figs/odd_one_out/odd")
CONFIGS = ("config/test.yaml", "odd.yaml")


FILES = {
    f"odd_one_out_{part}": [f"{part}/*"] for part in ("baselines", "sweeps", "paths", "subspace")
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    project = copy_project(tmp_path_factory.mktemp("odd_one_out") / "project")
    save_odd_stand_in(project / "data" / "models" / "odd")
    config = {
        "models": {"odd": {"source": "local", "path": "data/models/odd"}},
        "odd_one_out": {"models": ["odd"]},
    }
    (project / "odd.yaml").write_text(yaml.safe_dump(config))
    result = snakemake(project, "odd_one_out", configs=CONFIGS)
    assert result.returncode == 0, said(result)
    return project


def test_every_figure_and_page_is_made(run):
    for name in SISTERS["odd_one_out"].figures:
        for kind in ("pdf", "png", "csv"):
            assert (run / FOLDER / f"{name}.{kind}").stat().st_size > 0
    assert planned(run, "--nolock", "odd_one_out", configs=CONFIGS) == {}


def test_what_the_model_cannot_do_is_said_first(run):
    page = (run / FOLDER / "findings.md").read_text()
    first = page.split("**Necessity.**")[0]
    assert "cannot do *odd one out*" in first
    assert "The sweeps run on *common attribute*" in first
    assert "$" not in page
    assert "nan" not in page


def test_the_written_out_triples_are_measured(run):
    pairs = pd.read_csv(run / "data/odd_one_out/odd/baselines/pairs.csv")
    assert (pairs["kind"] == "example").sum() == 3


def test_the_answer_reaches_the_query_by_the_last_layer(run):
    table = pd.read_csv(run / "data/odd_one_out/odd/sweeps/sufficiency.csv")
    query = table.query("component == 'residual' and position == 'query'")
    assert query.sort_values("layer")["effect"].iloc[-1] == pytest.approx(1, abs=1e-3)
    critical = store.read_json(run / "data/odd_one_out/odd/sweeps/critical.json")
    assert len(critical["layers"]) == 1


@pytest.fixture(scope="module")
def planned_run(run):
    choice = store.read_json(run / "data/odd_one_out/odd/baselines/choice.json")
    told = Expected(passing_pairs=choice["passing"], swept_task=choice["task"])
    return PlannedRun(run, "odd_one_out", "odd", CONFIGS, FILES, told)


def test_jobs_of_the_plan_are_those_of_the_dag(planned_run):
    assert planned_run.jobs == planned_run.jobs_of_the_dag()


def test_planned_disk_is_within_a_fifth(planned_run):
    assert planned_run.wrong_disk() == {}


def test_planned_flops_are_near_those_that_torch_counts(planned_run):
    assert planned_run.wrong_flops() == {}


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("{paths: {draws: 3}}", {"odd_one_out_paths"}),
        ("{subspace: {draws: 3}}", {"odd_one_out_subspace"}),
        (
            "{sweep: {every: 2}}",
            {"odd_one_out_sweeps", "odd_one_out_paths", "odd_one_out_subspace"},
        ),
        ("{grid: {controls: 7}}", {"odd_one_out_baselines"}),
    ],
)
def test_a_change_makes_what_reads_it_stale(run, tmp_path, change, stale):
    (tmp_path / "change.yaml").write_text(f"{{odd_one_out: {change}}}")
    jobs = planned(
        run, "--nolock", "odd_one_out", configs=(*CONFIGS, str(tmp_path / "change.yaml"))
    )
    stages = {name for name in jobs if name.startswith("odd_one_out_")}
    stages = {name for name in stages if not name.startswith("odd_one_out_fig")}
    later = {"odd_one_out_sweeps", "odd_one_out_paths", "odd_one_out_subspace"}
    assert stages == (stale | later if "odd_one_out_baselines" in stale else stale)
    assert "write_odd_one_out_findings" in jobs


def test_a_tokenizers_colliding_names_stop_the_run_before_any_sweep(run, tmp_path):
    change = {
        "odd_one_out": {
            "examples": [
                {
                    "clean": ["Isaac Newton", "Brad Pitt", "Leonardo DiCaprio"],
                    "corrupt": ["Isaac Newton", "Isaac Asimov", "Leonardo DiCaprio"],
                    "target": "Isaac Newton",
                    "corrupt_target": "Leonardo DiCaprio",
                }
            ]
        }
    }
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(change))
    target = "data/odd_one_out/odd/baselines/pairs.csv"
    result = snakemake(run, target, configs=(*CONFIGS, str(tmp_path / "change.yaml")))
    assert result.returncode != 0
    assert "first tokens collide: Isaac Newton and Isaac Asimov" in said(result)
