"""One planted network without noise, asked all its prompts once."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.models.loading import load_model
from pipeline_lib.models.planted.folder import write_planted_model
from pipeline_lib.models.planted.settings import PlantedSettings
from pipeline_lib.recovery.subject import Subject


@pytest.fixture(scope="package")
def folder(tmp_path_factory) -> Path:
    """The network's folder, with 4 decoys an operator."""
    path = tmp_path_factory.mktemp("planted") / "model"
    write_planted_model(PlantedSettings(decoys=4), path)
    return path


@pytest.fixture(scope="package")
def subject(folder) -> Subject:
    """The network and what it answers."""
    return Subject.ask(load_model(folder))


@pytest.fixture(scope="package")
def neurons(folder) -> pd.DataFrame:
    """What is planted where."""
    return store.read_table(folder / "planted_neurons.csv").fillna("")


@pytest.fixture(scope="package")
def heads(folder) -> pd.DataFrame:
    """Which head moves what."""
    return store.read_table(folder / "planted_heads.csv")
