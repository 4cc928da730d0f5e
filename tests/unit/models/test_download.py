import shutil

import pytest

from pipeline_lib.errors import ModelError
from pipeline_lib.models import download


def test_downloads_safetensors_and_tokenizer_only(monkeypatch, model_folder, tmp_path):
    asked = {}

    def fake(repo, *, revision, local_dir, allow_patterns):
        asked.update(repo=repo, revision=revision, patterns=allow_patterns)
        shutil.copytree(model_folder("gpt2"), local_dir)

    monkeypatch.setattr(download, "snapshot_download", fake)
    folder = download.download_model("owner/name", "abc123", tmp_path / "new")
    assert (folder / "model.safetensors").exists()
    assert (asked["repo"], asked["revision"]) == ("owner/name", "abc123")
    assert not any(p.endswith((".bin", ".py", ".pt", "*")) for p in asked["patterns"])


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


def test_repository_without_safetensors(monkeypatch, model_folder, tmp_path):
    def fake(repo, *, revision, local_dir, allow_patterns):
        shutil.copytree(
            model_folder("gpt2"), local_dir, ignore=shutil.ignore_patterns("*.safetensors")
        )

    monkeypatch.setattr(download, "snapshot_download", fake)
    with pytest.raises(ModelError, match="no weights"):
        download.download_model("owner/name", "main", tmp_path / "new")
