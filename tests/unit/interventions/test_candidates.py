import pytest
import torch

from pipeline_lib.interventions import Patches, candidate_logits, capture, patch_candidates
from pipeline_lib.interventions.patches import all_patches
from tests.unit.interventions import naive


@pytest.fixture(scope="module")
def candidates(pairs):
    return torch.stack([pairs.answers, pairs.other_answers, pairs.tokens[:, 1]], 1)


def test_they_are_the_logits_of_these_tokens(tiny_model, pairs, candidates):
    found = candidate_logits(tiny_model, pairs.tokens, candidates)
    expected = naive.run(tiny_model, pairs.tokens).gather(1, candidates).double()
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_patches_equal_hooks_one_at_a_time(tiny_model, pairs, candidates):
    source = capture(tiny_model, pairs.other, ("z", "mlp_post"))
    patches = all_patches(7, [1, 4], range(3), tiny_model.n_heads + 1)
    clean, found = patch_candidates(tiny_model, pairs.tokens, source, patches, candidates)
    assert torch.equal(clean, candidate_logits(tiny_model, pairs.tokens, candidates))
    grid = found.reshape(3, tiny_model.n_heads + 1, 2, 7, 3)
    for layer, component in ((0, 1), (1, tiny_model.n_heads), (2, 3)):
        for place, position in enumerate((1, 4)):
            logits = naive.patch(tiny_model, pairs.tokens, pairs.other, layer, position, component)
            expected = logits.gather(1, candidates).double()
            error = (grid[layer, component, place] - expected).abs().max()
            assert error < 2e-5 * expected.abs().max()


def test_the_last_residual_of_the_last_layer_is_the_other_run(exact_model, pairs, candidates):
    source = capture(exact_model, pairs.other, ("resid_post",))
    last = exact_model.n_layers - 1
    rows = torch.arange(7)
    patches = Patches(
        rows,
        torch.full((7,), 4),
        torch.full((7,), last),
        torch.full((7,), exact_model.n_heads + 1),
    )
    _, found = patch_candidates(exact_model, pairs.tokens, source, patches, candidates)
    expected = candidate_logits(exact_model, pairs.other, candidates)
    assert (found - expected).abs().max() < naive.rounding(exact_model, 1e-10) * 100


def test_identical_tokens_before_the_first_difference_change_exactly_nothing(
    llama_model, pairs, candidates
):
    source = capture(llama_model, pairs.other, ("z", "mlp_post"))
    patches = all_patches(7, range(5), range(3), llama_model.n_heads + 1)
    counted = []
    clean, every = patch_candidates(llama_model, pairs.tokens, source, patches, candidates)
    _, known = patch_candidates(
        llama_model,
        pairs.tokens,
        source,
        patches,
        candidates,
        skip_known=True,
        progress=counted.append,
    )
    assert torch.equal(known, every) or (known - every).abs().max() < 1e-5
    first = patches.position == 0
    assert torch.equal(known[first], clean[patches.prompt[first]])
    assert sum(counted) == len(patches)


def test_several_positions_are_patched_together_and_may_repeat(exact_model, pairs, candidates):
    source = capture(exact_model, pairs.other, ("resid_post",))
    rows = torch.arange(7)
    whole = Patches(
        rows,
        torch.arange(5).expand(7, -1).contiguous(),
        torch.zeros(7, dtype=torch.int64),
        torch.full((7,), exact_model.n_heads + 1),
    )
    filled = Patches(
        rows,
        torch.tensor([0, 1, 2, 3, 4, 4, 4]).expand(7, -1).contiguous(),
        whole.layer,
        whole.component,
    )
    expected = candidate_logits(exact_model, pairs.other, candidates)
    for patches in (whole, filled):
        _, found = patch_candidates(exact_model, pairs.tokens, source, patches, candidates)
        assert (found - expected).abs().max() < naive.rounding(exact_model, 1e-10) * 100
