import numpy as np
import pytest

from pipeline_lib.heuristics import HeuristicIndex, HeuristicSettings
from pipeline_lib.heuristics.calibration.evidence import Evidence
from pipeline_lib.stimuli.arithmetic import valid_prompts

SIDE = 40


def _index(operator, max_operand=SIDE, max_number=120, **settings):
    prompts = valid_prompts(operator, min_operand=0, max_operand=max_operand, max_number=max_number)
    types = HeuristicSettings(**{"multi_value_prompts": 30, **settings})
    return HeuristicIndex.build(
        operator, types, prompts, max_operand=max_operand, max_number=max_number
    )


@pytest.fixture(scope="session")
def make_index():
    """Index of an operator over the prompts with operands below 40."""
    return _index


@pytest.fixture(scope="session")
def evidence_of():
    """Evidence of an operator's prompts with operands below 40, made once."""
    made = {}

    def of(operator):
        if operator not in made:
            made[operator] = Evidence.build(_index(operator))
        return made[operator]

    return of


@pytest.fixture
def rng():
    return np.random.default_rng(7)
