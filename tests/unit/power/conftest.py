import pytest

from pipeline_lib.models.loading import load_model
from pipeline_lib.power.baseline import Answers
from pipeline_lib.power.prompts import read_pair_prompts
from pipeline_lib.stimuli.power import FALSE_VARIANTS, QUESTION, TRUE_VARIANTS, read_pairs
from tests.power_stand_in import save_power_stand_in


@pytest.fixture(scope="session")
def power_folder(tmp_path_factory):
    return save_power_stand_in(tmp_path_factory.mktemp("power") / "model")


@pytest.fixture(scope="session")
def model(power_folder):
    """In float64: identities hold to rounding."""
    return load_model(power_folder, dtype="float64")


@pytest.fixture(scope="session")
def answers(model):
    return Answers.of(model, TRUE_VARIANTS, FALSE_VARIANTS)


@pytest.fixture(scope="session")
def table():
    """Six pairs, the name before what differs, after it, and in the middle."""
    return read_pairs().set_index("name").loc[NAMES].reset_index()[COLUMNS]


NAMES = ["Marta", "Anton", "Mirko", "Farid", "Darko", "Clara"]
COLUMNS = ["line", "name", "power", "no_power"]


@pytest.fixture(scope="session")
def prompts(model, table):
    return read_pair_prompts(model.tokenizer, table, QUESTION)


@pytest.fixture(scope="session")
def unequal(model, table):
    """Pairs of unequal length, the source longer and shorter than the base."""
    longer = table.iloc[[0, 2]].copy()
    longer["power"] = [
        "Marta made the clerk leave the room again.",
        "The guards served Mirko without a word.",
    ]
    longer["no_power"] = [
        "Marta saw the clerk leave the room.",
        "The guards passed Mirko without a single word.",
    ]
    return read_pair_prompts(model.tokenizer, longer, QUESTION)
