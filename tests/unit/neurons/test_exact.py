"""Which neurons and prompts are patched exactly, and what is measured of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.artifacts.exact import write_exact
from pipeline_lib.figures import fig_attribution_truth
from pipeline_lib.interventions import attribute, capture, patch_neurons
from pipeline_lib.neurons.exact import (
    choose_neurons,
    choose_prompts,
    join_effects,
    measure_neurons,
)


def test_all_neurons_are_all_neurons():
    found = choose_neurons(np.zeros((2, 5)), "all", np.random.default_rng(0))
    assert found[["layer", "neuron"]].to_numpy().tolist() == [
        [layer, neuron] for layer in range(2) for neuron in range(5)
    ]
    assert set(found["weight"]) == {1.0}


def test_a_layer_smaller_than_its_strata_is_taken_whole():
    found = choose_neurons(np.zeros((1, 9)), 3, np.random.default_rng(0))
    assert found["neuron"].tolist() == list(range(9))
    assert set(found["stratum"]) == {"all"}


def test_strata_are_the_top_the_middle_and_some_of_the_others():
    importance = np.stack([np.arange(101.0), -np.arange(101.0)])
    found = choose_neurons(importance, 5, np.random.default_rng(0))
    for layer, rows in found.groupby("layer"):
        named = rows.groupby("stratum")["neuron"].agg(sorted)
        ranks = {
            name: sorted(100 - n if layer == 0 else n for n in named[name]) for name in named.index
        }
        assert ranks["top"] == [0, 1, 2, 3, 4]
        assert ranks["middle"] == [48, 49, 50, 51, 52]
        assert not set(ranks["random"]) & {*ranks["top"], *ranks["middle"]}
        assert rows["neuron"].is_unique
        # each neuron of a layer is stood for once
        assert rows["weight"].sum() == pytest.approx(101)
        assert set(rows.loc[rows["stratum"] == "random", "weight"]) == {91 / 5}


def test_every_neuron_can_be_among_the_others():
    drawn = {
        neuron
        for seed in range(60)
        for neuron in choose_neurons(np.zeros((1, 13)), 3, np.random.default_rng(seed))["neuron"]
    }
    assert drawn == set(range(13))


def test_prompts_are_drawn_without_repetition_and_in_order():
    found = choose_prompts(50, 20, 3, "add")
    assert len(set(found)) == 20
    assert (np.diff(found) > 0).all()
    assert choose_prompts(7, 20, 3, "add").tolist() == list(range(7))
    assert choose_prompts(50, 20, 3, "sub").tolist() != found.tolist()
    assert len(choose_prompts(0, 20, 3, "add")) == 0


def test_effects_are_those_of_the_engine_for_the_chosen_neurons(exact_model, pairs):
    chosen = pd.DataFrame({"layer": [2, 0, 1], "neuron": [4, 7, 0]})
    sites = ("z", "mlp_post")
    ends = [capture(exact_model, tokens, sites) for tokens in (pairs.tokens, pairs.other)]
    answers = (pairs.answers, pairs.other_answers)
    found = measure_neurons(exact_model, pairs.tokens, answers, *ends, chosen, steps=3)
    units = (torch.tensor(chosen[name].to_numpy()) for name in ("layer", "neuron"))
    patched = patch_neurons(exact_model, pairs.tokens, ends[1], *answers, *units)
    assert found.indirect_effect == pytest.approx(patched.indirect_effect(), abs=1e-9)
    assert found.log_odds_change == pytest.approx(patched.log_odds_change(), abs=1e-9)
    for method in ("gradient", "integrated"):
        every = attribute(exact_model, pairs.tokens, *answers, *ends, method=method, steps=3)
        expected = every.neurons[:, -1, chosen["layer"], chosen["neuron"]].numpy()
        assert getattr(found, method) == pytest.approx(expected, abs=1e-9)
    twice = join_effects([found, found])
    assert twice.gradient.shape == (2 * len(pairs.tokens), 3)


def test_an_operator_without_prompts_passes_through(llama_model, pairs, tmp_path):
    nothing = slice(0, 0)
    source = capture(llama_model, pairs.tokens, ("mlp_post",)).prompts(nothing)
    ids = (pairs.answers[nothing], pairs.other_answers[nothing])
    chosen = choose_neurons(np.zeros((3, 40)), 4, np.random.default_rng(0))
    found = measure_neurons(
        llama_model, pairs.tokens[nothing], ids, source, source, chosen, steps=2
    )
    rows = choose_prompts(0, 5, 0, "div")
    write_exact(tmp_path / "exact.h5", chosen, join_effects([found] * 2), [1, 2], rows, (3, 40), {})
    drawn = fig_attribution_truth.make({"exact": [str(tmp_path / "exact.h5")]}, ["div"], {})
    assert drawn.table.empty
