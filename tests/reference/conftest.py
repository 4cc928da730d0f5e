import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from tests.reference.published import CHECKPOINTS, load_reference


@pytest.fixture(scope="session", params=CHECKPOINTS)
def reference(request, tmp_path_factory):
    """A checkpoint in float32, as the published code ran it."""
    return load_reference(request.param, tmp_path_factory.mktemp("reference"))


@pytest.fixture
def exact_trained_reference(tmp_path, monkeypatch):
    """The trained one in float64: what is left is the rounding of the published numbers.

    transformers computes RMSNorm in float32 whatever the model's type; here it does not.
    """

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * (x * scale)

    monkeypatch.setattr(LlamaRMSNorm, "forward", forward)
    return load_reference("trained", tmp_path, dtype="float64")
