"""Patches of subspaces on every architecture, against plain hooks and hand-made pairs."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.interventions import capture
from pipeline_lib.rivals.codes import (
    SPECTRUM_COLUMNS,
    CodeSettings,
    number_codes,
    operator_codes,
)
from pipeline_lib.rivals.numbers import number_states
from pipeline_lib.rivals.patching import SubspacePatcher, draw_pairs, other_prompts, recovery
from pipeline_lib.rivals.subspaces import (
    fitted_subspace,
    moved_within,
    principal_subspace,
    random_subspace,
)
from pipeline_lib.rivals.waves import waves
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import valid_prompts
from tests.unit.interventions import naive

SETTINGS = CodeSettings(periods=(2, 5, 10), prompts_per_number=3, draws=10, pairs=5, seed=0)


@pytest.fixture(scope="module")
def prompts():
    return valid_prompts("sub", min_operand=0, max_operand=25, max_number=99)


@pytest.fixture(scope="module")
def encode(number_tokens):
    return lambda table: number_tokens.encode(table, [""] * len(table))


def test_pairs_differ_in_operand_1_and_in_the_answer(prompts):
    pairs = draw_pairs(prompts, 20, generator(0))
    assert len(pairs) == 20
    assert (pairs["a"] != pairs["cf_a"]).all()
    assert (pairs["answer"] != pairs["cf_answer"]).all()
    assert (pairs["cf_a"] - pairs["b"] == pairs["cf_answer"]).all()
    assert not pairs.duplicated(["a", "b"]).any()
    same = valid_prompts("div", min_operand=0, max_operand=9, max_number=99).query("a < b")
    assert draw_pairs(same, 5, generator(0)).empty  # every answer is 0
    assert draw_pairs(prompts.iloc[:0], 5, generator(0)).empty


def test_states_are_means_over_prompts_with_the_number(llama_model, prompts, encode):
    every = number_states(llama_model, encode, prompts, "equals", 10**6, generator(0))
    run = capture(llama_model, encode(prompts), ["resid_post"], positions=[-1])
    for number in (0, 7, 24):
        rows = np.flatnonzero(prompts["answer"] == number)
        expected = run.resid_post[rows, 0, 1].mean(dim=0)
        found = every.layer(1)[every.numbers == number][0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    first = number_states(llama_model, encode, prompts, "operand1", 4, generator(0))
    assert first.layers == (-1, 0, 1, 2)
    token = encode(prompts)[:, 1]
    weight = llama_model.embedding.weight.detach()[token]
    for number in (3, 24):
        row = int((prompts["a"] == number).to_numpy().argmax())
        np.testing.assert_allclose(first.layer(-1)[first.numbers == number][0], weight[row])


def patcher(model, prompts, encode, position, layers):
    pairs = draw_pairs(prompts, 5, generator(1))
    tokens, other = encode(pairs), encode(other_prompts(pairs))
    ids = torch.tensor([[7, 9], [4, 5], [30, 8], [6, 7], [3, 20]])
    return SubspacePatcher(model, tokens, other, ids, position, layers), tokens, other, ids


def log_odds(logits, ids):
    chosen = logits.log_softmax(-1).gather(1, ids)
    return (chosen[:, 1] - chosen[:, 0]).double()


def test_the_embedding_of_operand_1_is_all_that_differs(tiny_model, prompts, encode):
    run, tokens, other, ids = patcher(tiny_model, prompts, encode, 1, [-1, 0, 2])
    change = run.changes(dict.fromkeys([-1, 0, 2]))
    expected = log_odds(naive.run(tiny_model, other), ids) - log_odds(
        naive.run(tiny_model, tokens), ids
    )
    np.testing.assert_allclose(change[0], expected, atol=2e-4)
    np.testing.assert_allclose(run.whole, expected, atol=2e-4)
    np.testing.assert_allclose(change[2], 0.0, atol=2e-4)  # nothing reads the last layer there
    assert np.abs(change[1] - change[0]).max() > 1e-3


@pytest.mark.parametrize(("position", "layer"), [(1, -1), (1, 0), (4, 1)])
def test_a_patched_subspace_is_that_of_plain_hooks(tiny_model, prompts, encode, position, layer):
    layers = range(-1, tiny_model.n_layers)
    run, tokens, other, ids = patcher(tiny_model, prompts, encode, position, layers)
    subspace = random_subspace(tiny_model.d_model, 6, generator(2))
    found = run.changes({layer: subspace})[0]
    projection = torch.from_numpy(subspace @ subspace.T).float()
    module = tiny_model.layers[layer + 1]  # what leaves a layer enters the next
    seen = {}

    def read(x):
        seen["other"] = x.clone()
        return x

    def edit(x):
        x = x.clone()
        x[:, position] += (seen["other"] - x)[:, position] @ projection
        return x

    naive.run(tiny_model, other, [(module, read)])
    patched = naive.run(tiny_model, tokens, [(module, edit)])
    clean = naive.run(tiny_model, tokens)
    expected = log_odds(patched, ids) - log_odds(clean, ids)
    np.testing.assert_allclose(found, expected, atol=3e-4)
    assert np.abs(found).max() > 1e-3


def test_all_dimensions_are_the_whole_residual(llama_model, prompts, encode):
    run, *_ = patcher(llama_model, prompts, encode, 4, [0, 1])
    every = random_subspace(llama_model.d_model, llama_model.d_model, generator(0))
    whole = run.changes({0: None, 1: None})
    np.testing.assert_allclose(run.changes({0: every, 1: every}), whole, atol=1e-4)


def test_moving_within_a_subspace():
    rng = np.random.default_rng(0)
    clean, other = (torch.from_numpy(rng.normal(size=(3, 10))) for _ in range(2))
    subspace = random_subspace(10, 4, rng)
    np.testing.assert_allclose(subspace.T @ subspace, np.eye(4), atol=1e-12)
    moved = moved_within(clean, other, subspace)
    moved, clean, other = moved.numpy(), clean.numpy(), other.numpy()
    np.testing.assert_allclose(moved @ subspace, other @ subspace)
    rest = np.linalg.qr(np.concatenate([subspace, np.eye(10)], axis=1))[0][:, 4:]
    np.testing.assert_allclose(moved @ rest, clean @ rest)


def test_subspaces_are_those_in_which_numbers_move():
    rng = np.random.default_rng(0)
    numbers = np.arange(60)
    basis = waves(numbers, np.array([0.2, 0.1]))
    directions = np.linalg.qr(rng.normal(size=(12, 4)))[0].T
    states = basis @ directions + 5.0
    for found in (fitted_subspace(basis, states), principal_subspace(states, 4)):
        assert found.shape == (12, 4)
        np.testing.assert_allclose(found @ found.T @ directions.T, directions.T, atol=1e-9)
    # what another basis cannot tell has no direction
    assert fitted_subspace(basis, np.ones((60, 12))).shape == (12, 0)


def test_recovery_is_a_ratio_of_means():
    change, whole = np.array([1.0, 2.0, 0.0]), np.array([2.0, 2.0, 2.0])
    share, low, high = recovery(change, whole, generator(0))
    assert share == 0.5
    assert 0 <= low < share < high <= 1


def test_codes_of_every_position_and_layer(llama_model, number_tokens, prompts, encode):
    codes = number_codes(
        llama_model,
        encode,
        number_tokens.number_ids,
        {"sub": prompts, "add": prompts.iloc[:0]},
        settings=SETTINGS,
    )
    assert list(codes.spectra) == SPECTRUM_COLUMNS
    assert set(codes.fits["operator"]) == {"sub"}
    places = codes.fits.groupby("position")["layer"].agg(lambda x: sorted(set(x))).to_dict()
    assert places == {"operand1": [-1, 0, 1, 2], "operand2": [-1, 0, 1, 2], "equals": [0, 1, 2]}
    whole = codes.patches[codes.patches["subspace"] == "whole"].set_index(["position", "layer"])
    assert whole.loc[("operand1", -1), "recovery"] == pytest.approx(1.0, abs=1e-3)
    assert whole.loc[("equals", 2), "recovery"] == pytest.approx(1.0, abs=1e-3)
    assert whole.loc[("operand1", 2), "recovery"] == pytest.approx(0.0, abs=1e-3)
    assert set(codes.patches["pairs"]) == {5}
    dimension = codes.patches.set_index("subspace")["dimension"]
    assert set(dimension.drop("whole")) == {6}  # line, period 2, two circles
    again = number_codes(
        llama_model, encode, number_tokens.number_ids, {"sub": prompts}, settings=SETTINGS
    )
    pd.testing.assert_frame_equal(again.patches, codes.patches)


def test_no_and_few_prompts_have_codes(llama_model, number_tokens, prompts, encode):
    for n_prompts in (0, 1, 2, 6):
        codes = operator_codes(
            llama_model, encode, number_tokens.number_ids, "sub", prompts[:n_prompts], SETTINGS
        )
        assert len(codes.patches) == 0 or n_prompts
        assert codes.fits.empty
