"""What a key of a sister study makes due; and the revision of a model of the hub.

Planning reads no results, so these studies are not run: their files are there and said to be done.
"""

import os

import pytest

from pipeline_lib.config.root import SISTERS, Config
from pipeline_lib.figures.sisters import SISTERS as CATALOGUES
from tests.config_keys import keys_of, nested
from tests.dry_runs import DryRuns, changed
from tests.project import copy_project, said, snakemake

CONFIGS = ("config/test.yaml", "sisters.yaml")
HUB = "{source: hub, repo: owner/name, revision: %s}"
PROJECT = (
    f"models: {{hubby: {HUB % 'one'}}}\n"
    "bayes: {models: [hubby]}\n"
    "odd_one_out: {people: people.csv}\n"
    "power: {pairs: pairs.tsv}\n"
)

BAYES_TASK = {"bayes_answers", "bayes_probe", "bayes_heads", "bayes_steering"}
BAYES_FIGURES = {f"bayes_{name}_figure" for name in CATALOGUES["bayes"].figures}
BAYES = BAYES_TASK | BAYES_FIGURES | {"write_bayes_findings"}
BAYES_ANSWERS = {"bayes_answers", "write_bayes_findings"} | {
    f"bayes_{name}_figure" for name in ("scores", "answers", "lens_layers", "lens_errors")
}
BAYES_STEERING = {"bayes_steering", "bayes_steering_figure", "write_bayes_findings"}
BAYES_PROBE = BAYES_STEERING | {
    "bayes_probe", "bayes_probe_layers_figure", "bayes_probe_predictions_figure",
}  # fmt: skip
BAYES_HEADS = {"write_bayes_findings", "bayes_heads"} | {
    f"bayes_{name}_figure" for name in ("top_heads", "heads", "head_positions")
}

INDUCTION_FIGURES = {f"induction_{name}" for name in CATALOGUES["induction"].figures}
INDUCTION_PAGES = {"browse_induction", "write_induction_findings"}
ABLATED = {
    "ablate_orders", "induction_ablation", "induction_joint", "induction_agreement",
    "induction_published",
} | INDUCTION_PAGES  # fmt: skip
DRIFT = {"order_drift", "induction_baseline"} | ABLATED
# the recall of the baseline is measured with the heads
SCORED = ABLATED | {
    "induction_heads", "induction_attention", "induction_scores", "induction_baseline",
}  # fmt: skip
INDUCTION = DRIFT | SCORED

ODD_FIGURES = {f"odd_one_out_fig_{name}" for name in CATALOGUES["odd_one_out"].figures}
ODD_PAGE = {"write_odd_one_out_findings"}
ODD_PATHS = {"odd_one_out_paths"} | ODD_PAGE | {
    f"odd_one_out_fig_{name}" for name in ("hydra", "paths", "retrieval")
}  # fmt: skip
ODD_SUBSPACE = {"odd_one_out_subspace"} | ODD_PAGE | {
    f"odd_one_out_fig_{name}" for name in ("subspace", "neurons")
}  # fmt: skip
ODD_SWEEPS = {"odd_one_out_sweeps"} | ODD_PATHS | ODD_SUBSPACE | {
    f"odd_one_out_fig_{name}"
    for name in ("necessity", "necessity_parts", "sufficiency", "generality")
}  # fmt: skip
ODD = {"odd_one_out_baselines", "odd_one_out_fig_baselines"} | ODD_SWEEPS

POWER_FIGURES = {"power_baselines", "power_told_apart", "power_pair", "power_regions"}
SWEPT = {"power_sweep", "power_pair", "power_regions", "write_power_findings"}
POWER = {"power_pairs"} | POWER_FIGURES | SWEPT

ROWS = [  # study, key, new value, what is due
    ("bayes", "enabled", "true", set()),
    ("bayes", "models", "[]", set()),
    ("bayes", "seed", "1", BAYES),
    ("bayes", "dpi", "70", BAYES_FIGURES),
    ("bayes", "outcomes", "[A, B]", BAYES),
    ("bayes", "probabilities", "[0.4, 0.75]", BAYES),
    ("bayes", "priors", "[1.0, 2.0]", BAYES),
    ("bayes", "draws", "9", BAYES),
    ("bayes", "permutations", "3", BAYES_ANSWERS),
    ("bayes", "templates", "[base]", BAYES_ANSWERS),
    ("bayes", "probe.alpha", "2.0", BAYES_PROBE),
    ("bayes", "heads.clean", "8", BAYES_HEADS),
    ("bayes", "heads.top", "3", {"bayes_top_heads_figure", "bayes_head_positions_figure"}),
    ("bayes", "steering.prompts", "5", BAYES_STEERING),
    ("induction", "enabled", "true", set()),
    ("induction", "models", "[]", set()),
    ("induction", "seed", "1", INDUCTION),
    ("induction", "dpi", "70", INDUCTION_FIGURES),
    ("induction", "symbols", "[C, D]", INDUCTION),
    ("induction", "other_symbols", "[[E, F]]", DRIFT),
    ("induction", "counts", "[[2, 2]]", DRIFT),
    ("induction", "max_orders", "5", DRIFT),
    ("induction", "prepend_bos", "false", INDUCTION),
    ("induction", "sequences", "5", SCORED),
    ("induction", "repeated_tokens", "5", SCORED),
    ("induction", "random_sets", "4", ABLATED),
    ("induction", "set_sizes", "32", ABLATED),
    ("odd_one_out", "enabled", "true", set()),
    ("odd_one_out", "models", "[]", set()),
    ("odd_one_out", "seed", "1", ODD),
    ("odd_one_out", "dpi", "70", ODD_FIGURES),
    ("odd_one_out", "people", "''", ODD),  # the shipped table in place of one's own
    ("odd_one_out", "outside_project", "true", set()),  # says only that a path may lead out
    ("odd_one_out", "tasks", "[odd_one_out]", ODD),
    ("odd_one_out", "formats.odd_shots", "1", ODD),
    ("odd_one_out", "examples", "[]", ODD),
    ("odd_one_out", "grid.pairs", "20", ODD),
    ("odd_one_out", "sweep.pairs", "5", ODD_SWEEPS),
    ("odd_one_out", "paths.pairs", "4", ODD_PATHS),
    ("odd_one_out", "subspace.pairs", "4", ODD_SUBSPACE),
    ("power", "enabled", "true", set()),
    ("power", "models", "[]", set()),
    ("power", "seed", "1", POWER),
    ("power", "dpi", "70", POWER_FIGURES),
    ("power", "pairs", "null", POWER),
    ("power", "outside_project", "true", set()),  # says only that a path may lead out
    ("power", "question", "'Is this so? {sentence}\\n{entity}:'", POWER),
    ("power", "true_variants", "[' True']", POWER),
    ("power", "false_variants", "[' False']", POWER),
    ("power", "alignment", "right", POWER),
    ("power", "swept", "ordered", POWER),
    ("power", "n_pairs.heads", "23", SWEPT),
    ("power", "shown_pair", "2", SWEPT),
]


@pytest.fixture(scope="module")
def sisters(tmp_path_factory):
    """A project in which everything of the sister studies counts as done."""
    project = copy_project(tmp_path_factory.mktemp("sisters") / "project").resolve()
    (project / "sisters.yaml").write_text(PROJECT)
    shipped = project / "pipeline_lib" / "stimuli"
    (project / "people.csv").write_text((shipped / "people.csv").read_text())
    (project / "pairs.tsv").write_text((shipped / "power.tsv").read_text())
    listed = snakemake(project, *SISTERS, "--summary", configs=CONFIGS)
    assert listed.returncode == 0, said(listed)
    for line in listed.stdout.splitlines()[1:]:
        path = project / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()
    done = snakemake(project, *SISTERS, "--touch", "--forceall", "--quiet", "all", configs=CONFIGS)
    assert done.returncode == 0, said(done)
    runs = DryRuns(project)
    yield runs
    runs.close()


def due(sisters, change=""):
    """Rules that a change of the configuration makes due, without the targets."""
    return set(sisters.after(change, "--nolock", *SISTERS, configs=CONFIGS)) - set(SISTERS)


def test_every_key_or_section_of_a_sister_study_has_a_row():
    for study in SISTERS:
        keys = {key.split(".")[0] for key in keys_of(Config.model_fields[study].annotation)}
        assert {key.split(".")[0] for name, key, *_ in ROWS if name == study} == keys


def test_a_finished_study_is_up_to_date(sisters):
    assert due(sisters, "{}") == set()


@pytest.mark.parametrize(("study", "key", "value", "stale"), ROWS)
def test_a_key_makes_its_stages_due(sisters, study, key, value, stale):
    assert due(sisters, f"{{{study}: {nested(key, value)}}}") == stale


def test_another_revision_of_a_model_is_another_model(sisters):
    change = f"{{models: {{hubby: {HUB % 'two'}}}}}"
    assert due(sisters, change) == {"fetch_model", "describe_model"} | BAYES


@pytest.mark.parametrize(("file", "stale"), [("people.csv", ODD), ("pairs.tsv", POWER)])
def test_ones_own_table_goes_by_content(sisters, file, stale):
    path = sisters.folder / file
    path.touch()
    assert due(sisters, "{}") == set()
    head, *rows = path.read_text().splitlines(keepends=True)
    with changed(path, head + "".join(reversed(rows))):
        os.utime(path, (0, 0))
        assert due(sisters, "{}") == stale
