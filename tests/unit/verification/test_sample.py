"""The sample of patches: reproducible, and nothing is left out of it."""

import pytest

from pipeline_lib.rng import generator
from pipeline_lib.verification.sample import draw_patches, silent_patches

POSITIONS = (1, 2, 3, 4)


def draw(count, seed=0, n_layers=6, n_heads=3):
    sizes = {"n_prompts": 2, "positions": POSITIONS, "n_layers": n_layers, "n_heads": n_heads}
    return draw_patches(count, rng=generator(seed, "test"), **sizes)


@pytest.mark.parametrize("count", [1, 12, 50])
def test_every_layer_kind_and_position_is_represented(count):
    patches = draw(count)
    assert len(patches) == max(count, 12)
    kinds = {(int(n), int(c) == 3) for n, c in zip(patches.layer, patches.component, strict=True)}
    assert kinds == {(layer, is_mlp) for layer in range(6) for is_mlp in (False, True)}
    assert set(patches.position.tolist()) == set(POSITIONS)
    assert set(patches.prompt.tolist()) == {0, 1}


def test_a_shallow_model_has_every_position_all_the_same():
    assert set(draw(1, n_layers=1).position.tolist()) == set(POSITIONS)


def test_the_seed_decides():
    assert draw(30).component.tolist() == draw(30).component.tolist()
    assert draw(30).component.tolist() != draw(30, seed=1).component.tolist()


def test_patches_that_nothing_reads():
    patches = silent_patches(2, POSITIONS, n_layers=6, n_heads=3)
    assert len(patches) == 4 * 3
    assert set(patches.layer.tolist()) == {5}
    assert set(patches.position.tolist()) == {1, 2, 3}
    assert set(patches.component.tolist()) == {0, 1, 2, 3}
    assert patches.prompt.max() == 1
