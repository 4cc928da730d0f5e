"""Maps that should match nothing, against direct capture and the weights."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.artifacts import nulls
from pipeline_lib.artifacts.map_writing import neuron_value_logits
from pipeline_lib.heuristics import HeuristicIndex, HeuristicSettings, score_neurons
from pipeline_lib.heuristics.calibration.evidence import Evidence
from pipeline_lib.heuristics.calibration.families import NULL_COLUMNS
from pipeline_lib.heuristics.calibration.strongest import Contest
from pipeline_lib.heuristics.table import best_of
from pipeline_lib.interventions.capture import capture
from pipeline_lib.models.loading import untrained_twin
from pipeline_lib.stimuli.arithmetic import valid_prompts

LAYERS = [1, 2]
OPTIONS = {"kind": "hybrid", "max_base_rate": 1.0, "per_layer": 5, "scored": 2}


@pytest.fixture(scope="module")
def prompts():
    return valid_prompts("sub", min_operand=0, max_operand=12, max_number=99)


@pytest.fixture(scope="module")
def index(prompts):
    return HeuristicIndex.build("sub", HeuristicSettings(), prompts, max_operand=12, max_number=99)


@pytest.fixture(scope="module")
def tokens(number_tokens, prompts):
    return number_tokens.encode(prompts)


@pytest.fixture(scope="module")
def ids(number_tokens):
    return number_tokens.number_ids


def post_of(model, tokens):
    """Activations [prompt, layer, neuron] at "="."""
    return capture(model, tokens, ("mlp_post",), positions=[-1]).site("mlp_post")[:, 0]


def test_maps_of_neurons_are_their_activations(tiny_model, tokens, ids):
    chosen = pd.DataFrame({"layer": [1, 2, 2], "neuron": [5, 30, 2]})
    readouts = nulls.single_neurons("low_effect", tiny_model, chosen, ids)
    assert [(r.family, r.layer, r.names.tolist()) for r in readouts] == [
        ("low_effect", 1, [5]), ("low_effect", 2, [30, 2]),
    ]  # fmt: skip
    found = np.concatenate(nulls.readout_maps(tiny_model, tokens, readouts))
    post = post_of(tiny_model, tokens)
    for row, (layer, neuron) in zip(found, chosen.to_numpy().tolist(), strict=True):
        np.testing.assert_allclose(row, post[:, layer, neuron], rtol=1e-4, atol=1e-5)
    logits = np.concatenate([readout.value_logits for readout in readouts])
    np.testing.assert_array_equal(logits, neuron_value_logits(tiny_model, chosen, ids))


def test_maps_of_directions_are_what_the_mlp_writes_along_them(tiny_model, tokens, ids):
    rng = np.random.default_rng(3)
    readouts = nulls.random_directions(tiny_model, LAYERS, 4, ids, rng)
    drawn = np.random.default_rng(3).standard_normal((len(LAYERS), 4, tiny_model.d_model))
    directions = torch.tensor(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)).float()
    post = post_of(tiny_model, tokens)
    maps = nulls.readout_maps(tiny_model, tokens, readouts)
    for along, readout, found in zip(directions, readouts, maps, strict=True):
        projection = tiny_model.mlp_outs[readout.layer]
        with torch.no_grad():
            still = projection(torch.zeros(1, tiny_model.d_mlp))  # the bias is no neuron's
            written = projection(post[:, readout.layer]) - still
        np.testing.assert_allclose(found, (written @ along.T).T, rtol=1e-3, atol=1e-4)


def test_directions_are_unit_and_random(tiny_model, ids):
    rng = np.random.default_rng(0)
    first, second = nulls.random_directions(tiny_model, LAYERS, 30, ids, rng)
    for readout in (first, second):
        # W_out has full rank over d_model: the direction can be read off its weights
        w_out = tiny_model.w_out(readout.layer)
        direction = torch.linalg.lstsq(w_out, readout.weights).solution.T
        norm = torch.linalg.vector_norm(direction, dim=1)
        np.testing.assert_allclose(norm, 1.0, rtol=1e-3)
        assert readout.names.tolist() == list(range(30))
        cosines = direction @ direction.T - torch.eye(30)
        assert cosines.abs().max() < 0.8  # of 32 dimensions: 5 standard deviations
    assert not torch.allclose(first.weights, second.weights, atol=0.1)


def test_value_logits_of_a_direction_are_those_of_the_unembedding(tiny_model, ids):
    rng = np.random.default_rng(5)
    (readout,) = nulls.random_directions(tiny_model, [1], 6, ids, rng)
    w_out = tiny_model.w_out(1)
    rows = torch.linalg.lstsq(w_out, readout.weights).solution.T
    if tiny_model.arch.layer_norm:
        rows = rows - rows.mean(1, keepdim=True)
    logits = (rows * tiny_model.final_norm.weight) @ tiny_model.unembedding.weight.T
    expected = (logits - logits.mean(1, keepdim=True))[:, torch.tensor(ids)]
    np.testing.assert_allclose(readout.value_logits, expected.detach(), rtol=1e-2, atol=1e-3)


def test_no_readouts_run_nothing(llama_model, tokens, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("the model ran")
        yield

    monkeypatch.setattr(nulls, "iter_reduced", never)
    assert nulls.readout_maps(llama_model, tokens, []) == []


def weights_of(model):
    return dict(model.hf.named_parameters())


def test_an_untrained_twin_is_the_same_model_with_other_weights(tiny_model, tokens):
    before = torch.random.get_rng_state()
    twin, same, other = (untrained_twin(tiny_model, seed) for seed in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert twin.tokenizer is tiny_model.tokenizer
    assert (twin.shape, twin.arch, twin.dtype) == (
        tiny_model.shape, tiny_model.arch, tiny_model.dtype,
    )  # fmt: skip
    assert twin.name != tiny_model.name
    assert not twin.hf.training
    own = weights_of(twin)
    assert {n: w.shape for n, w in own.items()} == {
        n: w.shape for n, w in weights_of(tiny_model).items()
    }
    assert not any(weight.requires_grad for weight in own.values())
    for name, weight in weights_of(same).items():
        assert torch.equal(weight, own[name]), name
    matrices = [name for name, weight in own.items() if weight.ndim == 2]
    for name in matrices:
        assert not torch.equal(own[name], weights_of(tiny_model)[name]), name
        assert not torch.equal(own[name], weights_of(other)[name]), name
    assert not torch.allclose(post_of(twin, tokens), post_of(tiny_model, tokens), atol=1e-3)


def null_table(model, tokens, index, ids, neurons, **changes):
    effects = np.zeros((model.n_layers, model.d_mlp))
    effects[:, ::2] = 1.0  # odd neurons have no effect
    options = {**OPTIONS, "rng": np.random.default_rng(1), **changes}
    return nulls.null_tables(model, tokens, neurons, effects, index, ids, **options)


def test_every_family_has_its_evidence_and_some_scores(llama_model, tokens, index, ids):
    neurons = pd.DataFrame({"layer": [1, 1, 2], "neuron": [0, 3, 8]})
    table = null_table(llama_model, tokens, index, ids, neurons)
    assert list(table) == NULL_COLUMNS
    counts = table.groupby(["family", "layer"]).size().to_dict()
    families = ("low_effect", "direction", "untrained")
    assert counts == {(family, layer): 5 for family in families for layer in LAYERS}
    scored = table.groupby(["family", "layer"])["score"].count()
    assert (scored == OPTIONS["scored"]).all()
    silent = table[table["family"] == "low_effect"]
    assert (silent["neuron"] % 2 == 1).all()
    assert not ((silent["layer"] == 1) & (silent["neuron"] == 3)).any()
    # evidence and scores of the silent neurons from plain activations
    post = post_of(llama_model, tokens).numpy()
    key = silent[["layer", "neuron"]].to_numpy().tolist()
    k_maps = np.stack([post[:, layer, neuron] for layer, neuron in key])
    logits = neuron_value_logits(llama_model, silent[["layer", "neuron"]], ids)
    kv_maps = k_maps * logits[:, index.results]
    contest = Contest.of(Evidence.build(index), "hybrid")
    expected = contest.strongest(k_maps, kv_maps).evidence
    np.testing.assert_allclose(silent["evidence"], expected, atol=1e-4)
    scores = best_of(*score_neurons(k_maps, kv_maps, index), index, "hybrid", 1.0)
    has = silent["score"].notna().to_numpy()
    np.testing.assert_allclose(silent["score"][has], scores[has], atol=1e-6)


def test_blocks_of_maps_do_not_change_the_evidence(llama_model, tokens, index, ids, monkeypatch):
    neurons = pd.DataFrame({"layer": [1, 2], "neuron": [0, 8]})
    whole = null_table(llama_model, tokens, index, ids, neurons, scored=4)
    monkeypatch.setattr(nulls, "BLOCK", 3)
    parts = null_table(llama_model, tokens, index, ids, neurons, scored=4)
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 9])
def test_nulls_go_on_where_an_attempt_died(
    llama_model, tokens, index, ids, monkeypatch, two_attempts, steps
):
    monkeypatch.setattr(nulls, "BLOCK", 2)
    neurons = pd.DataFrame({"layer": [1, 2], "neuron": [0, 8]})

    def work():
        return null_table(llama_model, tokens, index, ids, neurons)

    pd.testing.assert_frame_equal(two_attempts(work, steps), work(), check_exact=True)


@pytest.mark.parametrize("n_prompts", [0, None])
def test_without_neurons_or_prompts_there_are_no_nulls(
    llama_model, number_tokens, prompts, ids, n_prompts
):
    some = prompts.iloc[:n_prompts] if n_prompts == 0 else prompts
    limits = {"max_operand": 12, "max_number": 99}
    index = HeuristicIndex.build("sub", HeuristicSettings(), some, **limits)
    neurons = pd.DataFrame({"layer": [1], "neuron": [0]}).iloc[: 1 if n_prompts == 0 else 0]
    found = null_table(llama_model, number_tokens.encode(some), index, ids, neurons)
    assert found.empty
    assert list(found) == NULL_COLUMNS
