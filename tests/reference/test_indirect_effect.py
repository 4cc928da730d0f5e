"""Indirect effects against the published code: rtol 1e-3, atol 1e-5."""

import numpy as np
import pytest

from pipeline_lib.interventions import patch_components
from tests.reference.published import NAMES, excess, table

POSITIONS = (1, 2, 3, 4)


def effects(reference, clean, corrupt, positions=POSITIONS):
    return patch_components(
        reference.model,
        reference.encode(clean),
        reference.captured(corrupt, positions),
        reference.answer_ids(clean),
        reference.answer_ids(corrupt),
    ).indirect_effect()


def all_effects(reference, stored):
    pairs = zip(stored["clean"], stored["corrupt"], strict=True)
    return np.stack([effects(reference, table(clean), table(cf)) for clean, cf in pairs])


def test_reference_is_finite_everywhere(reference):
    stored = reference.arrays("effects")
    assert stored["indirect_effect"].shape == (4, 50, 4, 4, 5)
    assert np.isfinite(stored["indirect_effect"]).all()
    assert np.isfinite(stored["mean_of_seed"]).all()


def test_per_prompt_effects_without_our_own_rounding(exact_trained_reference):
    reference = exact_trained_reference
    stored = reference.arrays("effects")
    found = all_effects(reference, stored)
    assert excess(found, stored["indirect_effect"]).max() <= 1


def test_per_prompt_effects(reference):
    # The trained checkpoint answers with log odds of 30 to 80, where float32 logits leave an error
    # near 1e-3 of E on both sides: two of its 16,000 values are up to 5 % beyond the tolerance, and
    # within it in float64 (the test above). The random checkpoint has no such odds or values.
    stored = reference.arrays("effects")
    beyond = excess(all_effects(reference, stored), stored["indirect_effect"])
    assert (beyond > 1).sum() <= {"trained": 2, "random": 0}[reference.name]
    assert beyond.max() < 1.25


def test_known_zeros_are_zeros_of_the_reference(reference):
    stored = reference.arrays("effects")["indirect_effect"]
    assert np.all(stored[:, :, :3, -1] == 0)
    assert np.any(stored[:, :, 3, -1] != 0)


@pytest.mark.parametrize("operator", range(4), ids=NAMES)
def test_mean_maps_of_five_seeds(reference, operator):
    stored = reference.arrays("effects")
    clean = table(stored["clean"][operator])
    assert stored["seeds"].tolist() == [42, 412, 32879, 123, 436]
    # the larger random model takes long and its first two seeds show as much
    seeds = range(5) if reference.name == "trained" else range(2)
    for position in POSITIONS:
        for seed in seeds:
            corrupt = table(stored["corrupt_of_seed"][operator, position - 1, seed])
            found = effects(reference, clean, corrupt, (position,))[:, 0].mean(0)
            expected = stored["mean_of_seed"][operator, position - 1, seed]
            assert excess(found, expected).max() <= 1


def test_pairs_that_share_their_answer(reference):
    """Defect 8: the published code draws counterfactuals with the clean prompt's own answer."""
    stored = reference.arrays("effects")
    same = 0
    for operator, clean in enumerate(stored["clean"]):
        corrupt = table(stored["corrupt_of_seed"][operator].reshape(-1, 3))["answer"].to_numpy()
        same += int((corrupt.reshape(4, 5, 50) == table(clean)["answer"].to_numpy()).sum())
    assert same == {"trained": 132, "random": 179}[reference.name]
