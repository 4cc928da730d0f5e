"""Pairs in common, by hand and by counting over random draws."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.checkpoints.circuits import kept_neurons
from pipeline_lib.checkpoints.pairs import (
    distinct_neurons,
    expected_by_chance,
    n_in_common,
    shared_neurons,
)

FINAL = [(2, 0, "x"), (2, 0, "y"), (2, 1, "x"), (3, 0, "x"), (3, 4, "z")]
EARLY = [(2, 0, "y"), (2, 1, "y"), (2, 7, "x"), (3, 0, "x"), (3, 4, "y"), (3, 5, "z")]


def table(pairs):
    return pd.DataFrame(pairs, columns=["layer", "neuron", "heuristic"])


def test_pairs_in_common_are_counted_for_every_final_neuron():
    found = n_in_common(table(EARLY), table(FINAL))
    rows = [(2, 0, 2, 1), (2, 1, 1, 0), (3, 0, 1, 1), (3, 4, 1, 0)]
    assert [tuple(row) for row in found.to_numpy()] == rows
    assert list(found.columns) == ["layer", "neuron", "pairs", "shared"]
    assert n_in_common(table(FINAL), table(FINAL)).eval("pairs == shared").all()


@pytest.mark.parametrize(("first", "second"), [([], FINAL), (FINAL, []), ([], [])])
def test_nothing_is_in_common_with_nothing(first, second):
    found = n_in_common(table(first), table(second))
    assert len(found) == (4 if second else 0)
    assert found["shared"].sum() == 0
    assert len(shared_neurons(table(first), table(second))) == 0
    assert expected_by_chance(table(first), table(second), 10) == 0


def test_shared_neurons_have_a_pair_in_common_not_only_the_neuron():
    assert shared_neurons(table(EARLY), table(FINAL)).to_numpy().tolist() == [[2, 0], [3, 0]]
    early = [[2, 0], [2, 1], [2, 7], [3, 0], [3, 4], [3, 5]]
    assert distinct_neurons(table(EARLY)).to_numpy().tolist() == early


def test_chance_is_the_mean_over_neurons_dealt_out_anew():
    n_neurons, rng = 9, np.random.default_rng(0)
    early, wanted = table(EARLY), set(FINAL)
    found = []
    for _ in range(4000):
        dealt = early.copy()
        for layer in (2, 3):
            places = rng.permutation(n_neurons)
            rows = dealt["layer"] == layer
            dealt.loc[rows, "neuron"] = places[early.loc[rows, "neuron"]]
        found.append(len(wanted & set(dealt.itertuples(index=False, name=None))))
    expected = expected_by_chance(early, table(FINAL), n_neurons)
    assert expected == pytest.approx(np.mean(found), abs=4 * np.std(found) / np.sqrt(len(found)))
    # early neurons with x and y in layer 2: 1 and 2; with x and z in layer 3: 1 and 1
    assert expected == pytest.approx((1 + 2 + 1 + 1 + 1) / n_neurons)


def test_circuits_keep_all_shared_and_as_many_random_neurons_of_each_layer():
    kept = kept_neurons(table(EARLY), table(FINAL), np.random.default_rng(1))
    every = {tuple(row) for row in kept["all"]}
    assert every == {(2, 0), (2, 1), (2, 7), (3, 0), (3, 4), (3, 5)}
    assert {tuple(row) for row in kept["shared"]} == {(2, 0), (3, 0)}
    seen = set()
    for seed in range(50):
        drawn = kept_neurons(table(EARLY), table(FINAL), np.random.default_rng(seed))["random"]
        assert sorted(drawn[:, 0].tolist()) == [2, 3]
        seen |= {tuple(row) for row in drawn}
    assert seen == every


def test_a_checkpoint_without_heuristics_keeps_nothing():
    kept = kept_neurons(table([]), table(FINAL), np.random.default_rng(1))
    assert {name: rows.shape for name, rows in kept.items()} == {
        "all": (0, 2), "shared": (0, 2), "random": (0, 2),
    }  # fmt: skip
