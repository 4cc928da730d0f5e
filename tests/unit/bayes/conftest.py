import pytest

from pipeline_lib.models.loading import load_model
from pipeline_lib.stimuli.bernoulli import TEMPLATES, BernoulliTask
from tests.word_models import save_word_model

TASK = BernoulliTask.of([0.5, 0.75], [], ["X", "Y"], 6)


@pytest.fixture(scope="session")
def task():
    return TASK


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    texts = [TASK.text("xyxyxy", template) for template in TEMPLATES]
    return save_word_model(tmp_path_factory.mktemp("words") / "model", texts)


@pytest.fixture(scope="session")
def model(folder):
    """In float64, for identities that hold to rounding."""
    return load_model(folder, name="words", dtype="float64")
