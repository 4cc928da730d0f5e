import shutil

import pytest

from pipeline_lib.errors import ModelError
from pipeline_lib.models import download
from pipeline_lib.models.loading import load_model

REPO = "owner/name"
NEVER_FETCHED = {"pytorch_model.bin", "modeling.py"}


@pytest.fixture
def repository(model_folder, tmp_path):
    """A model's files as they lie on the hub, with some that are never fetched."""
    folder = tmp_path / "repository"
    shutil.copytree(model_folder("gpt2"), folder)
    for name in NEVER_FETCHED:
        (folder / name).write_bytes(b"never fetched")
    return folder


def test_downloads_safetensors_and_tokenizer_only(repository, serve, tmp_path):
    serve(repository, REPO)
    folder = download.download_model(REPO, "v1", tmp_path / "new")
    came = {path.name for path in folder.iterdir() if path.is_file()}
    assert came == {path.name for path in repository.iterdir()} - NEVER_FETCHED
    load_model(folder, name="gpt2")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_download_is_refused(repository, serve, tmp_path, name):
    serve(repository, REPO, damaged=name)
    with pytest.raises(ModelError, match=r"The download is damaged\.") as caught:
        download.download_model(REPO, "v1", tmp_path / "new")
    assert str(tmp_path / "new" / name) in str(caught.value)
    assert "on the hub" in str(caught.value)


def test_offline_is_one_clear_error(monkeypatch, tmp_path):
    def fake(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(download, "snapshot_download", fake)
    with pytest.raises(ModelError, match="owner/name at main") as caught:
        download.download_model("owner/name", "main", tmp_path / "new")
    assert "no route to host" in str(caught.value)
    assert "online" in str(caught.value)


def test_malformed_name_is_refused_without_the_network(tmp_path):
    with pytest.raises(ModelError, match="owner/name"):
        download.download_model("a/b/c", "main", tmp_path / "new")


def test_repository_without_safetensors(repository, serve, tmp_path):
    (repository / "model.safetensors").unlink()
    serve(repository, REPO)
    with pytest.raises(ModelError, match="no weights"):
        download.download_model(REPO, "v1", tmp_path / "new")


def test_repository_that_does_not_exist(repository, serve, tmp_path):
    serve(repository, "owner/other")
    with pytest.raises(ModelError, match=f"{REPO} at v1") as caught:
        download.download_model(REPO, "v1", tmp_path / "new")
    assert "Check the repository's name" in str(caught.value)
