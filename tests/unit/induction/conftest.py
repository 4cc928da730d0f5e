"""A random attention-only model that reads words."""

import pytest

from pipeline_lib.models.loading import load_model
from tests.attention_only_models import save_attention_only_model


@pytest.fixture(scope="session")
def word_folder(tmp_path_factory):
    return save_attention_only_model(tmp_path_factory.mktemp("words") / "model")


@pytest.fixture(scope="session")
def model(word_folder):
    return load_model(word_folder, dtype="float64")
