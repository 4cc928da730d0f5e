"""Artifacts over numbers against runs of the model taken by hand."""

import numpy as np
import pandas as pd
import torch

from pipeline_lib import store
from pipeline_lib.artifacts import numbers
from pipeline_lib.interventions import key_logits, ov_logits
from pipeline_lib.stimuli.arithmetic import make_prompts
from tests.unit.interventions import naive


def seen_at(model, tokens, layer, side):
    """Input ("in") or output of one layer's MLP output projection at the last position."""
    seen = []
    projection = naive.projections(model)[layer][1]
    handle = projection.register_forward_hook(
        lambda _, args, output: seen.append(args[0] if side == "in" else output)
    )
    with torch.no_grad():
        model.hf(tokens)
    handle.remove()
    return seen[0][:, -1].numpy()


def test_mlp0_of_single_numbers(tmp_path, tiny_model, number_tokens):
    ids = number_tokens.number_ids[:6]
    path = tmp_path / "mlp0.h5"
    numbers.write_mlp0(path, tiny_model, number_tokens.bos_id, ids, provenance={})
    with store.open_artifact(path, numbers.MLP0_KIND) as artifact:
        found = artifact.read("activation")
        assert artifact.coords("number").tolist() == list(range(6))
    tokens = torch.tensor([[number_tokens.bos_id, int(ids[4])]])
    np.testing.assert_allclose(found[4], seen_at(tiny_model, tokens, 0, "in")[0], atol=1e-5)


def test_ov_maps_of_every_head(tmp_path, llama_model, number_tokens):
    ids = number_tokens.number_ids[:7]
    path = tmp_path / "ov.h5"
    numbers.write_ov_maps(path, llama_model, ids, source="embedding", provenance={})
    with store.open_artifact(path, numbers.OV_KIND) as artifact:
        found = artifact.read("logits")
        assert artifact.dataset("logits").chunks == (1, 1, 7, 7)
    assert found.shape == (3, 4, 7, 7)
    expected = ov_logits(llama_model, 2, torch.from_numpy(ids))
    np.testing.assert_allclose(found[2], expected.numpy(), rtol=1e-3, atol=1e-3)


def test_keys_keep_the_order_of_the_neurons(tmp_path, llama_model, number_tokens):
    neurons = pd.DataFrame({"layer": [2, 0, 2], "neuron": [7, 3, 1]}, index=[9, 8, 7])
    path = tmp_path / "keys.h5"
    ids = number_tokens.number_ids
    numbers.write_keys(path, llama_model, neurons, ids, provenance={})
    with store.open_artifact(path, numbers.KEYS_KIND) as artifact:
        gate, layer = artifact.read("gate"), artifact.read("layer")
        assert artifact.read("up").shape == (3, 100)
    assert layer.tolist() == [2, 0, 2]
    one = key_logits(llama_model, 0, torch.tensor([3]), torch.from_numpy(ids))
    np.testing.assert_allclose(gate[1], one["gate"][0].numpy(), rtol=1e-5)


def test_outputs_differ_from_the_models_own_by_the_bias(tmp_path, tiny_model, number_tokens):
    prompts = {
        "add": make_prompts("add", np.array([3, 20]), np.array([4, 11])),
        "mul": make_prompts("mul", np.array([], dtype=int), np.array([], dtype=int)),
    }
    path = tmp_path / "outputs.h5"
    numbers.write_outputs(path, tiny_model, number_tokens.encode, prompts, layer=2, provenance={})
    with store.open_artifact(path, numbers.OUTPUTS_KIND) as artifact:
        found, answers = artifact.read("mlp_out"), artifact.read("answer")
    assert answers.tolist() == [7, 31]
    own = seen_at(tiny_model, number_tokens.encode(prompts["add"]), 2, "out")
    np.testing.assert_allclose(found[1] - found[0], own[1] - own[0], atol=1e-5)
