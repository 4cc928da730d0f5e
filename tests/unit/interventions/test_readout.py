import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.interventions import readout as readout_module
from pipeline_lib.interventions.readout import Readout


@pytest.mark.parametrize("block_bytes", [1, 1000, 2**23])
def test_log_probs_are_those_of_all_logits(exact_model, monkeypatch, block_bytes):
    monkeypatch.setitem(readout_module.BLOCK_BYTES, "cpu", block_bytes)
    generator = torch.Generator().manual_seed(0)
    resid = torch.randn(6, exact_model.d_model, generator=generator).double()
    ids = torch.randint(0, exact_model.d_vocab, (6, 3), generator=generator)
    readout = Readout(exact_model)
    expected = readout.logits(resid).log_softmax(-1).gather(1, ids)
    torch.testing.assert_close(readout.log_probs(resid, ids), expected, rtol=1e-10, atol=1e-10)


def of_logits(model, monkeypatch, logits):
    """Log-probabilities of all tokens, for a model whose unembedding gives some logits."""
    readout = Readout(model)
    unembedding = nn.Linear(1, logits.shape[1], bias=False).requires_grad_(False)
    unembedding.weight.copy_(logits.T)
    monkeypatch.setattr(readout, "norm", lambda resid: torch.ones(1, 1))
    monkeypatch.setattr(readout, "unembedding", unembedding)
    ids = torch.arange(logits.shape[1])[None]
    return readout.log_probs(torch.ones(1, model.d_model), ids)[0]


def test_extreme_logits(llama_model, monkeypatch):
    found = of_logits(llama_model, monkeypatch, torch.tensor([[0.0, 50.0, -120.0]]))
    assert found[1] == pytest.approx(-np.exp(-50), abs=1e-15)
    assert found[2] == pytest.approx(-170, rel=1e-12)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_logits_give_no_number(llama_model, monkeypatch, bad):
    assert of_logits(llama_model, monkeypatch, torch.tensor([[0.0, bad, 1.0]])).isnan().all()
