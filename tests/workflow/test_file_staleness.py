"""What a changed, touched, copied, lost or recomputed file makes stale: its content decides."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.dry_runs import changed
from tests.project import planned, said, snakemake
from tests.stale_rules import (
    EVERYTHING,
    FINDINGS,
    LOCALIZATION,
    OVER_TRAINING,
    PROMPT_KNOCKOUTS,
    SCORECARD,
    THRESHOLD,
    with_findings,
)

MODEL = {"describe_model"} | EVERYTHING
DATA = "data/arithmetic/tiny-arith"


@pytest.fixture
def project(study, tmp_path):
    """A copy of the finished run that a test may change."""
    return shutil.copytree(study.folder, tmp_path / "project", symlinks=True)


@pytest.fixture
def model(study):
    """The folder of the model of the finished run."""
    return study.folder / "data" / "models" / "tiny-arith"


def aged(path, seconds=10**6):
    """Make a file older than all that was computed."""
    os.utime(path, (path.stat().st_atime - seconds, path.stat().st_mtime - seconds))


def test_a_finished_project_is_up_to_date(study):
    assert study.planned() == {}


def test_a_copy_with_new_times_is_up_to_date(study, tmp_path):
    copy = shutil.copytree(study.folder, tmp_path / "copy", copy_function=shutil.copyfile)
    assert planned(copy) == {}


def test_touched_files_make_nothing_stale(project):
    for number, path in enumerate(sorted(project.rglob("*"), reverse=True)):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path, (2 * 10**9 + number, 2 * 10**9 + number))
    assert planned(project) == {}


def test_touched_weights_make_nothing_stale(study, model):
    before = model.joinpath("model.safetensors").stat()
    (model / "model.safetensors").touch()
    assert study.planned() == {}
    os.utime(model / "model.safetensors", ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("age", [0, 10**6])
def test_other_weights_make_every_stage_of_the_model_stale(study, model, age):
    other = model.with_name("tiny-arith@step130") / "model.safetensors"
    with changed(model / "model.safetensors", ""):
        shutil.copyfile(other, model / "model.safetensors")
        aged(model / "model.safetensors", age)
        assert set(study.planned()) == with_findings(MODEL)


def test_weights_behind_a_link_are_the_same_weights(study, model, tmp_path):
    shutil.copyfile(model / "model.safetensors", tmp_path / "model.safetensors")
    with changed(model / "model.safetensors", None):
        (model / "model.safetensors").symlink_to(tmp_path / "model.safetensors")
        assert study.planned() == {}


@pytest.mark.parametrize(
    ("name", "stale"),
    [
        ("special_tokens_map.json", MODEL),
        ("added_tokens.json", MODEL),
        ("README.md", set()),
        ("trainer_state.json", set()),
    ],
)
def test_a_new_file_counts_where_loading_a_model_reads_it(study, model, name, stale):
    path = model / name
    existed = path.exists()
    text = path.read_text() if existed else "{}"
    if not existed:
        path.touch()
    with changed(path, text + "\n"):
        aged(path)
        assert set(study.planned()) == with_findings(stale)
    if not existed:
        path.unlink()


def test_the_table_beside_a_model_goes_by_content(study, model):
    table = model / "accuracy.csv"
    with changed(table, table.read_text().replace("0.", "0.0", 1)):
        aged(table)
        assert set(study.planned()) == with_findings({"table03_accuracy"} | SCORECARD)


def test_another_checkpoint_leaves_the_others_scores_alone(study):
    change = "{models: {tiny-arith: {checkpoints: [step0, step65, step130]}}}"
    jobs = study.after(change)
    assert set(jobs) == with_findings({"describe_model", "score_checkpoint"} | OVER_TRAINING)
    assert jobs["describe_model"] == jobs["score_checkpoint"] == 1


def test_another_model_leaves_the_first_alone(study):
    other = "{source: local, path: data/models/tiny-arith@step130}"
    jobs = study.after(
        f"{{models: {{other: {other}}}, arithmetic: {{models: [tiny-arith, other]}}}}"
    )
    assert jobs["describe_model"] == jobs["fig02_localization"] == 1
    assert jobs["label_prompts"] == 4
    assert jobs["indirect_effects"] == 8
    assert jobs["fig08_prompt_knockout_models"] == 2  # of all models, under both rules
    assert {"score_checkpoint", "ablate_checkpoint"}.isdisjoint(jobs)


def test_a_model_in_another_folder_is_another_model(study):
    # what it is made of would have to be read to know better; a link keeps the path
    change = "{models: {tiny-arith: {path: data/models/tiny-arith@step130, checkpoints: []}}}"
    assert set(study.after(change)) >= {"describe_model", "label_prompts", "indirect_effects"}


def test_the_order_of_keys_says_nothing(study):
    def turned(value):
        if isinstance(value, dict):
            return {key: turned(item) for key, item in reversed(value.items())}
        return value

    path = study.folder / "config" / "config.yaml"
    text = yaml.safe_dump(turned(yaml.safe_load(path.read_text())), sort_keys=False)
    assert text.index("arithmetic:") < text.index("preset:")
    with changed(path, text):
        assert study.planned() == {}


def test_the_order_of_config_files_says_nothing_until_they_disagree(study):
    texts = {
        "one.yaml": "{arithmetic: {heuristics: {threshold: 0.6}}}",
        "two.yaml": "{arithmetic: {probe: {seed: 42}}}",
        "three.yaml": "{arithmetic: {heuristics: {threshold: 0.55}}}",
    }
    for name, text in texts.items():
        (study.folder / name).write_text(text)
    size = "config/test.yaml"
    for configs in ([size, "one.yaml", "two.yaml"], ["two.yaml", "one.yaml", size]):
        assert study.planned(configs=configs) == {}
    assert study.planned(configs=[size, "three.yaml", "one.yaml"]) == {}
    assert set(study.planned(configs=[size, "one.yaml", "three.yaml"])) == with_findings(THRESHOLD)


def test_a_deleted_figure_is_drawn_again_and_nothing_else_runs(study):
    figure = study.folder / "figs/arithmetic/tiny-arith/fig02_localization.png"
    with changed(figure, None):
        assert study.planned() == dict.fromkeys({"fig02_localization"} | FINDINGS, 1)


def test_a_deleted_artifact_is_made_again_when_a_figure_needs_it(study):
    figure = study.folder / "figs/arithmetic/tiny-arith/fig08_prompt_knockout.png"
    artifact = study.folder / DATA / "knockouts/threshold/add_by_prompt.csv"
    with changed(artifact, None):
        assert study.planned() == {}
        with changed(figure, None):
            assert study.planned() == dict.fromkeys(PROMPT_KNOCKOUTS | FINDINGS, 1)


def test_a_checkout_of_another_commit_and_back(project):
    def git(*arguments):
        name = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *name, *arguments], cwd=project, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", "workflow", "pipeline_lib", "config", "Snakefile", "data/models")
    git("commit", "--message=one")
    module = project / "pipeline_lib" / "figures" / "fig15_neuron_iou.py"
    module.write_text(module.read_text() + "\n\nCHANGED = 1\n")
    config = project / "config" / "test.yaml"
    config.write_text(f"# a comment\n{config.read_text()}")
    git("commit", "--all", "--message=two")
    assert set(planned(project)) == with_findings({"fig15_neuron_iou"} | SCORECARD)
    git("checkout", "main~1")
    assert planned(project) == {}


def test_an_upgraded_package_makes_nothing_stale_and_is_on_record(study, tmp_path, monkeypatch):
    # docs/reliability.md says why; what an artifact was made with stands in its provenance
    for package in ("torch", "numpy", "transformers"):
        folder = tmp_path / f"{package}-99.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = (
        "import json; from pipeline_lib import store; print(json.dumps(store.provenance({}, {})))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=study.folder, check=True, capture_output=True, text=True
    )
    assert json.loads(told.stdout)["versions"]["torch"] == "99.0"
    assert planned(study.folder) == {}


def test_what_is_recomputed_comes_out_as_it_was_and_makes_nothing_stale(project):
    targets = [
        "data/models/tiny-arith/manifest.json",
        f"{DATA}/prompts/context.json",
        f"{DATA}/knockouts/threshold/add_by_prompt.csv",
        f"{DATA}/means.h5",
        f"{DATA}/activations/add/clean.h5",
        f"{DATA}/heuristics/mul_scores.h5",
        "figs/arithmetic/tiny-arith/table03_accuracy.csv",
    ]
    before = {path: ((project / path).read_bytes(), (project / path).stat()) for path in targets}
    for path in targets:
        (project / path).unlink()
    # the files alone are asked for, so what follows from them waits for the next run
    made = snakemake(project, *targets, "--quiet", "all")
    assert made.returncode == 0, said(made)
    for path, (content, stat) in before.items():
        assert (project / path).stat().st_mtime_ns > stat.st_mtime_ns, path
        assert (project / path).read_bytes() == content, path
    assert planned(project) == {}
    # where the limit is lower than the sizes, as Snakemake's own is, age decides
    assert set(planned(project, "--max-checksum-file-size", "1KB")) > LOCALIZATION
