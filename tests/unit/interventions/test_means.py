import pytest
import torch

from pipeline_lib.interventions import capture, mean_activations
from pipeline_lib.interventions.means import PrefixTree

SITES = ("z", "mlp_post", "resid_post")


def prompts():
    """Prompts a op b with shared prefixes, one of them twice, not in order."""
    a, op, b = torch.meshgrid(torch.arange(5, 9), torch.arange(2), torch.arange(6), indexing="ij")
    columns = [torch.full((48,), 105), a.ravel(), 100 + op.ravel(), b.ravel()]
    table = torch.stack([*columns, torch.full((48,), 104)], 1)
    order = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    return torch.cat([table[order], table[:1]])


@pytest.mark.parametrize("batch_size", [3, 1000])
def test_mean_of_every_site(tiny_model, batch_size):
    tokens = prompts()
    found = mean_activations(tiny_model, tokens, SITES, batch_size=batch_size)
    every = capture(tiny_model, tokens, SITES)
    assert (found.positions, found.layers) == (every.positions, every.layers)
    for site in SITES:
        expected = every.site(site).mean(0, keepdim=True)
        torch.testing.assert_close(found.site(site), expected, atol=1e-5, rtol=1e-5)


def test_each_prefix_is_computed_once(llama_model):
    tokens = prompts()
    tree = PrefixTree(llama_model, tokens, ("z",), 5)
    tree.descend(-1, torch.zeros(1, dtype=torch.int64), len(tree.prompts), [])
    assert tree.n_nodes == 1 + 4 + 4 * 2 + 48 + 48
    assert tree.n_nodes < tokens.numel()


def test_prompts_that_share_nothing(llama_model):
    tokens = torch.tensor([[1, 2, 3], [4, 5, 6]])
    found = mean_activations(llama_model, tokens, ("mlp_post",))
    expected = capture(llama_model, tokens, ("mlp_post",)).mlp_post.mean(0, keepdim=True)
    torch.testing.assert_close(found.mlp_post, expected)
    assert found.z is None


def test_no_prompts(llama_model):
    with pytest.raises(ValueError, match="no prompts"):
        mean_activations(llama_model, torch.empty(0, 5, dtype=torch.int64))
