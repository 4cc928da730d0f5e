import pytest
import torch

from pipeline_lib.interventions import Path, Receiver, Sender, capture, patch_paths, path_patch
from pipeline_lib.interventions.direct import direct_effects


@pytest.fixture(scope="module")
def candidates(pairs):
    return torch.stack([pairs.answers, pairs.other_answers], 1)


def test_direct_effects_add_up_to_the_difference_of_logits(exact_model, pairs, candidates):
    found = direct_effects(exact_model, pairs.tokens, candidates)
    logits = capture(exact_model, pairs.tokens, ("z",), positions=[-1]).logits
    chosen = logits.gather(1, candidates)
    total = found.heads.sum((1, 2)) + found.mlps.sum(1) + found.rest
    torch.testing.assert_close(total, chosen[:, 0] - chosen[:, 1], atol=1e-5, rtol=1e-5)


def test_an_ablated_head_has_the_sources_direct_effect_and_those_below_keep_theirs(
    exact_model, pairs, candidates
):
    other = capture(exact_model, pairs.other, ("z", "mlp_post"), positions=[-1])
    before = direct_effects(exact_model, pairs.tokens, candidates)
    after = direct_effects(
        exact_model, pairs.tokens, candidates, ablated=[(1, 2), (1, 4)], source=other
    )
    torch.testing.assert_close(after.heads[:, :2, :2], before.heads[:, :2, :2])
    torch.testing.assert_close(after.mlps[:, 0], before.mlps[:, 0])
    # direct effects are linear in what is written
    ratio = before.heads[:, 1, 2]
    same = direct_effects(
        exact_model, pairs.tokens, candidates, ablated=[(1, 2)],
        source=capture(exact_model, pairs.tokens, ("z", "mlp_post"), positions=[-1]),
    )  # fmt: skip
    torch.testing.assert_close(same.heads[:, 1, 2], ratio)
    assert (after.heads[:, 1, 2] - ratio).abs().max() > 1e-4
    assert (after.mlps[:, 2] - before.mlps[:, 2]).abs().max() > 1e-6


def test_ablation_needs_values_of_the_last_position(llama_model, pairs, candidates):
    with pytest.raises(ValueError, match="need a source"):
        direct_effects(llama_model, pairs.tokens, candidates, ablated=[(0, 0)])
    early = capture(llama_model, pairs.other, ("z",), positions=[1])
    with pytest.raises(ValueError, match="last position"):
        direct_effects(llama_model, pairs.tokens, candidates, ablated=[(0, 0)], source=early)


def test_many_paths_give_what_each_gives_alone(tiny_model, pairs, candidates):
    other = capture(tiny_model, pairs.other, ("z",))
    receivers = [Receiver("head", 2, 1), Receiver("head", 2, 1, "v"), Receiver("mlp", 2)]
    alone = [(Sender(0, head, 3), receiver) for head in (0, 2) for receiver in receivers]
    alone.append((Sender(1, 3, 4), Receiver("mlp", 2)))
    paths = [Path((sender,), receiver) for sender, receiver in alone]
    found = patch_paths(tiny_model, pairs.tokens, other, paths, candidates)
    for number, (sender, receiver) in enumerate(alone):
        logits = path_patch(tiny_model, pairs.tokens, other, sender, receiver)
        expected = logits.gather(1, candidates).double()
        torch.testing.assert_close(found[number], expected, atol=2e-5, rtol=1e-5)


def test_senders_together_differ_from_one_and_must_share_a_position(llama_model, pairs, candidates):
    other = capture(llama_model, pairs.other, ("z",))
    one = Path((Sender(0, 0, 4),), Receiver("mlp", 2))
    both = Path((Sender(0, 0, 4), Sender(1, 1, 4)), Receiver("mlp", 2))
    found = patch_paths(llama_model, pairs.tokens, other, [one, both], candidates)
    assert (found[0] - found[1]).abs().max() > 1e-5
    apart = Path((Sender(0, 0, 3), Sender(0, 1, 4)), Receiver("mlp", 2))
    with pytest.raises(ValueError, match="one position"):
        patch_paths(llama_model, pairs.tokens, other, [apart], candidates)
    below = Path((Sender(2, 0, 3),), Receiver("head", 1, 0))
    with pytest.raises(ValueError, match="reads nothing"):
        patch_paths(llama_model, pairs.tokens, other, [below], candidates)
