import pytest

from pipeline_lib.models.loading import load_model
from pipeline_lib.odd_one_out.baselines import GridSettings, measure_baselines
from pipeline_lib.odd_one_out.study import load_pairs
from pipeline_lib.stimuli.odd_one_out import TASKS, Formats
from pipeline_lib.stimuli.people import read_people
from tests.odd_stand_in import save_odd_stand_in

GRID = GridSettings(pairs=24, shots_pairs=8, controls=6, min_pairs=2, min_gap=0.0)


@pytest.fixture(scope="session")
def people():
    return read_people()


@pytest.fixture(scope="session")
def odd_model(tmp_path_factory):
    return load_model(save_odd_stand_in(tmp_path_factory.mktemp("odd") / "stand_in"), name="odd")


@pytest.fixture(scope="session")
def measured(odd_model, people):
    return measure_baselines(odd_model, people, Formats(), [], tasks=TASKS, settings=GRID)


@pytest.fixture(scope="session")
def pairs(odd_model, measured):
    """The passing pairs of the task that is swept."""
    return load_pairs(odd_model, measured.pairs, measured.choice["task"])
