"""A model of the hub through the workflow, from a hub on this machine."""

import shutil

import pytest

from tests.fake_hub import fake_hub
from tests.project import ROOT, TEST_SIZE, copy_project, planned, said, snakemake

REPO = "owner/mine"
CONFIG = f"""\
models:
  mine: {{source: hub, repo: {REPO}, revision: v1}}
arithmetic:
  models: [mine]
"""
CONFIGS = (*TEST_SIZE, "hub.yaml")
TARGET = "data/arithmetic/{}/prompts/add/labelled.csv"


@pytest.fixture
def repository(tmp_path):
    """The files of tiny-arith as they would lie on the hub."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for path in (ROOT / "data" / "models" / "tiny-arith").iterdir():
        if path.is_file() and path.name != "manifest.json":
            shutil.copy(path, folder)
    return folder


def test_a_model_is_fetched_checked_and_used(repository, finished_project, tmp_path, monkeypatch):
    project = copy_project(tmp_path / "project")
    (project / "hub.yaml").write_text(CONFIG)
    target = TARGET.format("mine")

    with fake_hub(repository, REPO, damaged="model.safetensors") as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        failed = snakemake(project, target, configs=CONFIGS)
    assert failed.returncode == 1
    assert "The download is damaged." in said(failed)
    damaged = project / "data" / "models" / "mine" / "model.safetensors"
    assert str(damaged.relative_to(project)) in said(failed)
    assert not (project / "data" / "models" / "mine" / "download.json").exists()

    damaged.unlink()
    with fake_hub(repository, REPO) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        done = snakemake(project, target, configs=CONFIGS)
    assert done.returncode == 0, said(done)
    labelled = (project / target).read_bytes()
    assert labelled == (finished_project / TARGET.format("tiny-arith")).read_bytes()

    # the hub is gone now
    assert planned(project, target, configs=CONFIGS) == {}
    (project / "hub.yaml").write_text(CONFIG.replace("v1", "v2"))
    jobs = planned(project, target, configs=CONFIGS)
    assert jobs["fetch_model"] == jobs["describe_model"] == jobs["label_prompts"] == 1
