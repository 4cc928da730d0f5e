"""Hundreds of damaged artifacts: who reads one says so in words, and check names the file."""

import pytest

from tests.fuzz.processes import in_its_own_process

N_ARTIFACTS, PER_TEST = 500, 250


@pytest.mark.parametrize("seed", range(N_ARTIFACTS // PER_TEST))
def test_damaged_artifacts_are_told_in_words_and_named(seed):
    cases = in_its_own_process("tests.fuzz.artifacts", seed, PER_TEST)
    assert len(set(cases)) == PER_TEST
