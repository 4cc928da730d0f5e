"""A random attention-only model that reads words."""

import pytest

from pipeline_lib.models.loading import load_model
from tests.word_models import save_word_model


@pytest.fixture(scope="session")
def word_folder(tmp_path_factory):
    return save_word_model(tmp_path_factory.mktemp("words") / "model")


@pytest.fixture(scope="session")
def model(word_folder):
    return load_model(word_folder, dtype="float64")
