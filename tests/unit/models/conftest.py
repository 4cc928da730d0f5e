from contextlib import ExitStack

import pytest
from huggingface_hub import constants

from tests.fake_hub import fake_hub


@pytest.fixture
def serve(monkeypatch):
    """Serves a folder as a repository of the hub, for the rest of the test."""
    with ExitStack() as running:

        def start(folder, repo, **options):
            url = running.enter_context(fake_hub(folder, repo, **options))
            path = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
            monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + path)
            monkeypatch.setattr(constants, "ENDPOINT", url)

        yield start
