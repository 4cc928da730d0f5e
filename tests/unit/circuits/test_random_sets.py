"""Random sets of heads: all there can be, how they are drawn, what they do."""

from math import comb

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.circuits.random_sets import (
    SET_COLUMNS,
    circuit_mask,
    draw_sets,
    measure_sets,
    n_possible,
)
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.figures import circuit_tests
from pipeline_lib.interventions import ablate_circuits, mean_activations
from pipeline_lib.measures.faithfulness import faithfulness
from pipeline_lib.measures.logits import normalised_logit
from pipeline_lib.stats import bootstrap_mean_interval, rank_p_value

CIRCUIT = [Head(0, 1), Head(2, 0), Head(2, 3)]
SHAPE = (3, 4)


def names(sets):
    return {tuple(np.flatnonzero(each)) for each in sets}


def test_all_sets_are_drawn_where_there_are_few():
    mask = circuit_mask(CIRCUIT, SHAPE)
    every = draw_sets(mask, "any", 300, np.random.default_rng(0))
    assert len(every) == len(names(every)) == n_possible(mask, "any") == comb(12, 3)
    layered = draw_sets(mask, "layer", 300, np.random.default_rng(0))
    assert len(layered) == len(names(layered)) == n_possible(mask, "layer") == 4 * comb(4, 2)
    assert (layered.sum(axis=2) == [1, 0, 2]).all()
    circuit = tuple(np.flatnonzero(mask))
    assert circuit in names(every) & names(layered)


@pytest.mark.parametrize(("null", "shares"), [("any", 3 / 12), ("layer", [1 / 4, 0, 2 / 4])])
def test_every_head_is_drawn_as_often_as_it_should(null, shares):
    mask = circuit_mask(CIRCUIT, SHAPE)
    count = n_possible(mask, null) - 1
    draws = [draw_sets(mask, null, count, np.random.default_rng(seed)) for seed in range(100)]
    sets = np.concatenate(draws)
    assert (sets.sum(axis=(1, 2)) == 3).all()
    expected = np.broadcast_to(np.reshape(shares, (-1, 1)), SHAPE)
    assert sets.mean(axis=0) == pytest.approx(expected, abs=0.05)


def test_a_circuit_of_nothing_or_of_all_heads_is_the_only_one():
    for heads in ([], [Head(layer, head) for layer in range(3) for head in range(4)]):
        mask = circuit_mask(heads, SHAPE)
        assert len(draw_sets(mask, "any", 5, np.random.default_rng(0))) == 1
        assert n_possible(mask, "layer") == 1


def faithfulness_of(model, tokens, answers, means, mask):
    """F of one set of heads, prompt by prompt, each of the three runs on its own."""
    every = torch.ones(1, model.n_layers, model.d_mlp, dtype=torch.bool)
    heads = torch.from_numpy(mask)[None]
    nothing, all_heads = torch.zeros_like(heads), torch.ones_like(heads)

    def nl(kept_heads, kept_neurons):
        kept = {"heads": kept_heads, "neurons": kept_neurons}
        logits = ablate_circuits(model, tokens, **kept, value=means)[0]
        return normalised_logit(logits, answers).double().numpy()

    return faithfulness(nl(heads, every), nl(nothing, ~every), nl(all_heads, every))


def test_measures_are_those_of_each_set_alone(llama_model, pairs, monkeypatch):
    monkeypatch.setattr("pipeline_lib.circuits.random_sets.SETS_AT_ONCE", 4)
    asked = (llama_model, pairs.tokens, pairs.answers)
    means = mean_activations(llama_model, pairs.other)
    circuit = [Head(0, 1), Head(2, 0)]
    table = measure_sets(*asked, circuit, means, n_sets=10, rng=np.random.default_rng(0))
    assert table.columns.tolist() == SET_COLUMNS
    assert table["kind"].tolist() == ["circuit", *["any"] * 10, *["layer"] * 10]
    mask = circuit_mask(circuit, (llama_model.n_layers, llama_model.n_heads))
    by_prompt = faithfulness_of(*asked, means, mask)
    first = table.iloc[0]
    assert first["faithfulness"] == pytest.approx(np.nanmean(by_prompt), rel=1e-4)
    assert first["low"] < first["faithfulness"] < first["high"]
    # one head of four in each of two layers
    assert set(table.loc[table["kind"] == "layer", "n_possible"]) == {"16"}
    # the same sets again, from a generator that drew the circuit's interval first
    rng = np.random.default_rng(0)
    bootstrap_mean_interval(by_prompt[~np.isnan(by_prompt)][:, None], rng)
    found = table.loc[table["kind"] == "any", "faithfulness"].to_numpy()
    for value, drawn in zip(found, draw_sets(mask, "any", 10, rng), strict=True):
        assert value == pytest.approx(np.nanmean(faithfulness_of(*asked, means, drawn)), rel=1e-3)
    assert len(set(found.round(6))) > 5


def test_no_prompts_no_rows(llama_model, pairs):
    means = mean_activations(llama_model, pairs.other)
    nothing = (pairs.tokens[:0], pairs.answers[:0])
    table = measure_sets(
        llama_model, *nothing, CIRCUIT[:1], means, n_sets=3, rng=np.random.default_rng(0)
    )
    assert table.empty
    assert np.isnan(list(circuit_tests.p_values(table).values())).all()


def test_p_values_by_hand():
    null = np.array([0.1, 0.5, 0.9, 0.9])
    assert rank_p_value(0.9, null) == 3 / 5
    assert rank_p_value(0.9, null, is_every=True) == 0.5
    assert rank_p_value(0.5, null, larger=False) == 3 / 5
    assert rank_p_value(2.0, null) == 1 / 5
    assert np.isnan(rank_p_value(np.nan, null))
    assert np.isnan(rank_p_value(0.5, null[:0]))


def test_figures_read_the_columns_that_are_written():
    assert circuit_tests.SET_COLUMNS == SET_COLUMNS
    rows = pd.DataFrame(
        {
            "kind": ["circuit", "any", "any", "layer", "layer"],
            "n_possible": [1, 10**30, 10**30, 2, 2],
            "faithfulness": [0.9, 0.2, 0.95, 0.9, 0.1],
            "kl": [0.1, 0.2, 0.3, 0.1, 0.05],
        }
    )
    found = circuit_tests.p_values(rows)
    assert found == {"p_any": 2 / 3, "p_kl_any": 1 / 3, "p_layer": 0.5, "p_kl_layer": 1.0}
