"""A model spread over several devices gives the results of one device."""

import pytest
import torch

from pipeline_lib.interventions import (
    Receiver,
    Sender,
    ablate,
    attribute,
    capture,
    mean_activations,
    patch_components,
    patch_everything,
    path_patch,
)
from pipeline_lib.models.loading import load_model
from tests.conftest import ARCHITECTURES
from tests.unit.interventions.placement import Placement, spread

SITES = ("z", "mlp_post", "resid_post")
DEVICES = ["cuda:0", "cuda:1", "cuda:2"]


def test_tensors_of_two_devices_do_not_mix():
    with Placement() as placement:
        x, y = torch.ones(2), torch.ones(2).to("cuda:1")
        assert (x.device.type, str((y * 2)[:1].device)) == ("cpu", "cuda:1")
        with pytest.raises(RuntimeError, match="add: tensors on"):
            torch.add(x, y)
        with pytest.raises(RuntimeError, match="numpy"):
            y.numpy()
        assert (y[torch.tensor([1])] + y.new_zeros(1)).device == y.device
        assert placement.n_moves == 1


def everything(model, pairs):
    answers = (pairs.answers, pairs.other_answers)
    clean, other = (capture(model, tokens, SITES) for tokens in (pairs.tokens, pairs.other))
    effects = patch_components(model, pairs.tokens, other, *answers)
    attributed = attribute(model, pairs.tokens, *answers, clean, other)
    mask = torch.rand(7, model.n_layers, model.d_mlp, generator=torch.Generator().manual_seed(0))
    means = mean_activations(model, pairs.tokens)
    paths = [Receiver("logits"), Receiver("mlp", 2), Receiver("head", 1, 2)]
    return {
        "logits": clean.logits,
        "effects": torch.from_numpy(effects.indirect_effect()),
        "everything": patch_everything(model, pairs.tokens, other),
        "neurons": attributed.neurons,
        "ablated": ablate(model, pairs.tokens, neurons=mask < 0.5, value=means),
        "means": means.mlp_post,
        "paths": torch.stack(
            [path_patch(model, pairs.tokens, other, Sender(0, 1, 3), path) for path in paths]
        ),
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_on_several_devices(model_folder, pairs, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**30))
    expected = everything(load_model(model_folder(name), name=name, dtype="float64"), pairs)
    model = load_model(model_folder(name), name=name, dtype="float64")
    with Placement() as placement:
        spread(placement, model, DEVICES)
        found = everything(model, pairs)
        assert {str(p.device) for p in model.hf.parameters()} == set(DEVICES)
    for key, values in expected.items():
        torch.testing.assert_close(found[key], values, rtol=1e-6, atol=1e-6)
