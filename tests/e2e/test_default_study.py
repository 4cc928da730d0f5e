"""The whole DAG on the built-in model at test size, from prompts to the report."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures.catalog import PAGES, STUDY_FIGURES, depends_on_rule, figures_of
from tests.project import planned, said, snakemake

OPERATORS = ("add", "sub", "mul", "div")
SEEDS = (42, 412)
FIGURES = tuple(figures_of("tiny-arith", ["tiny-arith"], OPERATORS, over_training=True))
FOLDERS = {"threshold": "", "fdr": "fdr"}  # of the configured rule of matching, and the other's
BY_RULE = [figure for figure in FIGURES if depends_on_rule(figure)]


def written_columns(path):
    """Columns of the numbers beside a picture that was written in both formats."""
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    return list(pd.read_csv(path.with_suffix(".csv")).columns)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_exists_in_three_formats(finished_project, figure):
    path = finished_project / "figs" / "arithmetic" / "tiny-arith" / f"{figure}.csv"
    assert written_columns(path)
    assert len(pd.read_csv(path)) > 0


@pytest.mark.parametrize("figure", BY_RULE)
def test_figures_of_the_other_rule_show_the_same_quantities(finished_project, figure):
    """Few neurons are classified at test size, so some of these have no rows."""
    folder = finished_project / "figs" / "arithmetic" / "tiny-arith"
    names = written_columns(folder / "fdr" / f"{figure}.csv")
    assert names == written_columns(folder / f"{figure}.csv")


def test_what_depends_on_the_rule_and_nothing_else_exists_under_both(finished_project):
    folder = finished_project / "figs" / "arithmetic"
    for model, names in (("tiny-arith", FIGURES), ("all_models", STUDY_FIGURES)):
        drawn = {path.stem for path in (folder / model).glob("*.pdf")}
        assert drawn == set(names)
        other = {path.stem for path in (folder / model / "fdr").glob("*.pdf")}
        assert other == {name for name in names if depends_on_rule(name)}
    assert not list(folder.rglob("threshold"))


@pytest.mark.parametrize("rule", FOLDERS)
def test_the_figure_of_all_models_has_the_one_model(finished_project, rule):
    folder, variant = finished_project / "figs" / "arithmetic", FOLDERS[rule]
    own = pd.read_csv(folder / "tiny-arith" / variant / "fig08_prompt_knockout.csv")
    everyone = pd.read_csv(folder / "all_models" / variant / "fig08_prompt_knockout_models.csv")
    assert set(everyone.pop("model")) == {"tiny-arith"}
    pd.testing.assert_frame_equal(everyone, own)


@pytest.mark.parametrize("rule", FOLDERS)
def test_heuristics_are_counted_from_the_matches_of_their_rule(finished_project, study, rule):
    folder = finished_project / "figs" / "arithmetic" / "tiny-arith" / FOLDERS[rule]
    table = pd.read_csv(folder / "heuristic_counts.csv")
    for operator in OPERATORS:
        matches = pd.read_csv(study / "heuristics" / rule / f"{operator}_matches.csv")
        matches = matches[matches["kind"] == "hybrid"]
        own = table[table["operator"] == operator]
        assert len(own)
        for row in own.to_dict("records"):
            of_type = (matches["type"] == row["type"]) | (row["type"] == "any")
            matched = matches[of_type & (matches["layer"] == row["layer"])]
            assert row["neurons"] == matched["neuron"].nunique(), row


@pytest.mark.parametrize("page", [*PAGES, "index"])
def test_every_page_to_browse_exists_and_links_back_to_the_report(finished_project, page):
    path = finished_project / "figs" / "arithmetic" / "tiny-arith" / "browse" / f"{page}.html"
    head = path.read_text().partition("</nav>")[0]
    links = re.findall(r'<a href="([^"]+)"', head)
    assert len(links) == len(PAGES) + 2
    assert [link for link in links if not (path.parent / link).resolve().is_file()] == []


def test_pages_and_previews_say_where_they_come_from(finished_project, study):
    folder = finished_project / "figs" / "arithmetic" / "tiny-arith" / "browse"
    for page, artifact, kind in (
        ("neurons", "maps/mul.h5", "maps"),
        ("ov", "numbers/ov.h5", "ov_maps"),
        ("attention", "attention/pictures.h5", "attention_pictures"),
        ("effects", "effects/sub_seed412.h5", "effects"),
    ):
        text = (folder / f"{page}.html").read_text()
        with store.open_artifact(study / artifact, kind) as opened:
            code = opened.provenance["params"]["code"]
            assert f"{artifact} (data {opened.digest[:12]}, code {code[:12]}, settings" in text
        assert "data" in store.read_json(study / "browse" / f"{page}.json")
    pictures = {path.stem for path in (folder / "snapshots").glob("*.png")}
    assert pictures in (set(), set(PAGES))
    assert (folder / "snapshots" / "README.txt").exists() == (not pictures)


def test_the_report_names_every_figure_and_leads_to_the_pages(finished_project):
    report = (finished_project / "figs" / "report.html").read_text()
    assert [name for name in (*FIGURES, *STUDY_FIGURES) if name not in report] == []
    assert [name for name in (*BY_RULE, *STUDY_FIGURES) if f"fdr/{name}" not in report] == []
    for page in PAGES:
        assert f"arithmetic/tiny-arith/browse/{page}.html" in report


def test_a_second_run_does_nothing(finished_project, tmp_path):
    project = shutil.copytree(finished_project, tmp_path / "project", symlinks=True)
    result = snakemake(project)
    assert result.returncode == 0, said(result)
    assert "Nothing to be done" in said(result)
    assert planned(project) == {}


def test_drawing_one_figure_leaves_the_report_of_all_alone(finished_project, tmp_path):
    project = shutil.copytree(finished_project, tmp_path / "project", symlinks=True)
    figure = "figs/arithmetic/tiny-arith/table03_accuracy.png"
    (project / figure).unlink()
    before = (project / "figs" / "report.html").read_bytes()
    result = snakemake(project, figure)
    assert result.returncode == 0, said(result)
    assert (project / figure).exists()
    assert (project / "figs" / "report.html").read_bytes() == before


@pytest.mark.parametrize("operator", OPERATORS)
def test_prompt_sets_do_not_overlap_and_are_answered_right(study, operator):
    folder = study / "prompts" / operator
    labelled = pd.read_csv(folder / "labelled.csv")
    discovery, evaluation = (pd.read_csv(folder / f"{n}.csv") for n in ("discovery", "evaluation"))
    assert len(discovery) == 8
    correct = labelled[labelled["label"] == "correct"]
    both = pd.concat([discovery, evaluation]).sort_values(["a", "b"])
    assert both[["a", "b"]].to_numpy().tolist() == correct[["a", "b"]].to_numpy().tolist()
    for seed in SEEDS:
        pairs = pd.read_csv(folder / f"counterfactual_seed{seed}.csv")
        assert (pairs["answer"] != pairs["cf_answer"]).all()
        assert pairs["a"].tolist() == discovery["a"].tolist()


def test_every_hdf5_artifact_is_whole_and_says_what_made_it(study):
    kinds = {"activations": "activations", "effects": "effects", "attribution": "attribution"}
    kinds |= {"maps": "maps", "heuristics": "scores"}
    files = [path for folder in kinds for path in (study / folder).rglob("*.h5")]
    assert len(files) == 4 * (1 + 2) + 4 * 2 + 4 + 4 + 4
    for path in files:
        kind = kinds[path.relative_to(study).parts[0]]
        store.verify_artifact(path, kind)
        with store.open_artifact(path, kind) as artifact:
            assert artifact.provenance["model"] == "tiny-arith"
            assert artifact.provenance["operator"] in OPERATORS
            assert artifact.provenance["params"]["code"]


def test_every_checkpoint_has_its_own_artifacts(study):
    folder = study / "checkpoints"
    tables = {f"{rule}_matches.csv" for rule in FOLDERS}
    assert {path.name for path in folder.glob("[!.]*")} == {"step0", "step130", "final"} | tables
    for step in ("step0", "step130"):
        # neurons, scores, links and labels; means; circuits and knockouts under both rules
        assert len(list((folder / step).glob("[!.]*"))) == 4 * 4 + 1 + 2 * 2
        store.verify_artifact(folder / step / "means.h5", "means")
        for operator in OPERATORS:
            path = folder / step / f"{operator}_scores.h5"
            store.verify_artifact(path, "scores")
            with store.open_artifact(path, "scores") as artifact:
                assert artifact.provenance["checkpoint"] == step
                assert artifact.provenance["operator"] == operator
    for rule in FOLDERS:
        # without training nothing is answered better than by a constant
        assert len(pd.read_csv(folder / "step0" / f"{rule}_knockouts.csv")) == 0
        final = pd.read_csv(folder / "final" / f"{rule}_knockouts.csv")
        assert set(final["operator"]) == set(OPERATORS)


@pytest.mark.parametrize("rule", FOLDERS)
def test_the_overlap_of_figure_10a_counted_from_the_matches(finished_project, study, rule):
    folder = finished_project / "figs/arithmetic/tiny-arith" / FOLDERS[rule]
    figure = pd.read_csv(folder / "fig10a_heuristic_overlap.csv")
    matches = pd.read_csv(study / "checkpoints" / f"{rule}_matches.csv")
    pair = ["layer", "neuron", "heuristic"]
    assert len(figure) == 4 * 3
    for row in figure.to_dict("records"):
        operator = row["operator"]
        final = pd.read_csv(study / "heuristics" / rule / f"{operator}_matches.csv")
        final = set(final.loc[final["kind"] == "hybrid", pair].itertuples(index=False, name=None))
        held = (matches["operator"] == operator) & (matches["checkpoint"] == row["checkpoint"])
        own = set(matches.loc[held, pair].itertuples(index=False, name=None))
        own = final if row["checkpoint"] == "final" else own
        assert (row["final_pairs"], row["pairs"]) == (len(final), len(own))
        if not final:
            assert np.isnan(row["share"])
            continue
        assert row["share"] == pytest.approx(len(own & final) / len(final))
        assert row["low"] <= row["share"] <= row["high"]


def test_the_engine_passed_its_self_test_with_every_reference(study):
    found = store.read_json(study / "verification" / "checks.json")
    assert {check["status"] for check in found["checks"]} == {"measured", "passed"}
    assert {check["reference"] for check in found["checks"]} == {
        "the model itself",
        "identity",
        "Hugging Face hooks",
        "TransformerLens hooks",
    }
    assert 0 <= found["noise_floor"]["relative"] < 1e-5
    assert found["provenance"]["model"] == "tiny-arith"


@pytest.mark.parametrize("operator", OPERATORS)
def test_last_layer_effects_before_the_last_position_are_zero(study, operator):
    with store.open_artifact(study / "effects" / f"{operator}_seed42.h5", "effects") as artifact:
        effects = artifact.read("indirect_effect")
        assert artifact.coords("component").tolist()[-1] == "mlp"
    assert effects.shape == (8, 4, 4, 5)
    assert (effects[:, :3, 3] == 0).all()
    assert (effects[:, 3, 3] != 0).any()


def test_no_half_written_file_is_left(finished_project):
    assert list(finished_project.rglob(".*.part")) == []
