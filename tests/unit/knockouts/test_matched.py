"""Random sets that match in layer, number and norm."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.interventions import capture
from pipeline_lib.knockouts.matched import NEAREST, Pool, layer_norms
from pipeline_lib.rng import generator

NONE = np.empty((0, 2), dtype=np.int64)


def table(layer, norms):
    return pd.DataFrame({"layer": layer, "neuron": range(len(norms)), "norm": norms})


def draws(pool, neurons, avoid=NONE, n=200):
    rng = generator(3, "draws")
    return [pool.draw(np.array(neurons), avoid, rng) for _ in range(n)]


def test_layers_and_numbers_are_those_of_the_set_and_none_of_it_is_drawn():
    mapped = pd.concat([table(4, np.ones(30)), table(5, np.ones(30))])
    own = [[5, 0], [4, 3], [4, 7], [4, 9]]
    for chosen in draws(Pool(mapped, mapped), own):
        assert chosen[:, 0].tolist() == [4, 4, 4, 5]
        assert len({tuple(row) for row in chosen}) == 4
        assert not {tuple(row) for row in chosen} & {tuple(row) for row in own}


def test_each_is_replaced_by_one_of_the_closest_in_log_norm():
    norms = 2.0 ** np.arange(60)
    pool = Pool(table(1, norms), table(1, norms))
    found = {int(chosen[0, 1]) for chosen in draws(pool, [[1, 40]])}
    assert found == set(range(40 - NEAREST // 2, 41 + NEAREST // 2)) - {40}
    ends = {int(chosen[0, 1]) for chosen in draws(pool, [[1, 0]])}
    assert ends == set(range(1, 1 + NEAREST))


def test_a_set_of_large_neurons_gets_large_ones_and_one_of_small_small_ones():
    norms = np.concatenate([np.full(20, 0.1), np.full(20, 9.0)])
    pool = Pool(table(0, norms), table(0, norms))
    mixed = [[0, n] for n in (0, 1, 20, 21, 22)]
    for chosen in draws(pool, mixed, n=50):
        assert (chosen[:, 1] >= 20).sum() == 3
        assert pool.describe(chosen)[2] == pytest.approx(np.sqrt((2 * 0.01 + 3 * 81) / 5))


def test_a_dead_neuron_is_replaced_by_one_of_the_smallest():
    norms = np.array([0.0, *np.geomspace(0.01, 1, 20)])
    found = {int(c[0, 1]) for c in draws(Pool(table(0, norms), table(0, norms)), [[0, 0]])}
    assert found == set(range(1, 1 + NEAREST))


def pools(own, avoid):
    """Neurons of a layer of 40, 12 of them mapped, that are drawn for ``own``."""
    norms = np.ones(40)
    pool = Pool(table(2, norms[:12]), table(2, norms))
    own, avoid = (np.array([[2, n] for n in numbers]) for numbers in (own, avoid))
    return {int(n) for chosen in draws(pool, own, avoid) for n in chosen[:, 1]}


def test_small_pools_are_widened_step_by_step():
    assert pools([0, 1], [0, 1, 2, 3]) == set(range(4, 12))
    assert pools([0, 1], range(9)) == set(range(2, 12))  # three are left: fewer than twice two
    assert pools(range(5), range(9)) == set(range(5, 40))
    assert pools(range(30), range(30)) == set(range(30, 40))


def test_what_is_not_mapped_is_counted():
    pool = Pool(table(2, np.ones(12)), table(2, np.full(40, 3.0)))
    assert pool.describe(np.array([[2, 0], [2, 11], [2, 12]])) == (
        3,
        1,
        pytest.approx(11**0.5 / 3**0.5),
    )
    assert pool.describe(NONE)[:2] == (0, 0)
    assert np.isnan(pool.describe(NONE)[2])


def test_norms_of_a_layer_are_those_of_its_activations(tiny_model, pairs):
    found = layer_norms(tiny_model, pairs.tokens, [0, 2])
    post = capture(tiny_model, pairs.tokens, ("mlp_post",)).mlp_post[:, -1, [0, 2]]
    np.testing.assert_allclose(
        found["norm"], post.double().pow(2).mean(0).sqrt().flatten(), rtol=1e-5
    )
    assert found["layer"].tolist() == [0] * tiny_model.d_mlp + [2] * tiny_model.d_mlp
    nothing = layer_norms(tiny_model, torch.zeros(0, 5, dtype=torch.int64), [1])
    assert nothing["norm"].isna().all()
