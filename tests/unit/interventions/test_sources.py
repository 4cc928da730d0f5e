"""Patches that take their values from any row of the source activations; the logit lens."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline_lib.interventions import (
    Patches,
    capture,
    lens_logits,
    norm_gradient,
    normed,
    patch_candidates,
)
from pipeline_lib.interventions.patches import all_patches, known_zero


@pytest.fixture(scope="module")
def candidates(pairs):
    return torch.stack([pairs.answers, pairs.other_answers], 1)


def test_a_source_row_stands_for_the_prompts_own(tiny_model, pairs, candidates):
    source = capture(tiny_model, pairs.other, ("z", "mlp_post", "resid_post"))
    patches = all_patches(7, [1, 4], range(3), tiny_model.n_heads + 2)
    _, expected = patch_candidates(tiny_model, pairs.tokens, source, patches, candidates)
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    place = order.argsort()
    shuffled = source.prompts(order)
    chosen = replace(patches, source=place[patches.prompt])
    # two prompts at a time: rows of the source are not rows of a batch
    _, found = patch_candidates(
        tiny_model, pairs.tokens, shuffled, chosen, candidates, batch_size=50
    )
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_many_edits_of_one_prompt_run_in_one_pass(exact_model, pairs, candidates):
    run = capture(exact_model, pairs.tokens, ("resid_post",), layers=[1], positions=[4])
    edits = run.prompts(torch.tensor([2, 2, 2]))
    moved = edits.site("resid_post").clone()
    moved[1] += torch.linspace(-1, 1, exact_model.d_model) ** 3
    moved[2] = capture(exact_model, pairs.other[2:3], ("resid_post",)).site("resid_post")[
        :, 4:, 1:2
    ]
    whole = torch.full((3,), exact_model.n_heads + 1)
    patches = Patches(
        torch.full((3,), 2), torch.full((3,), 4), torch.ones(3, dtype=torch.int64), whole,
        source=torch.arange(3),
    )  # fmt: skip
    source = replace(edits, resid_post=moved)
    clean, found = patch_candidates(exact_model, pairs.tokens, source, patches, candidates)
    torch.testing.assert_close(found[0], clean[2], atol=1e-6, rtol=0)
    assert (found[1] - found[0]).abs().max() > 1e-4
    assert (found[2] - found[1]).abs().max() > 1e-6


def test_known_zeros_compare_with_the_source_row(llama_model, pairs):
    patches = all_patches(7, [0, 4], [0], 1)
    crossed = replace(patches, source=patches.prompt.flip(0))
    found = known_zero(llama_model, crossed, pairs.tokens, pairs.tokens)
    for row in range(len(patches)):
        one, other = int(crossed.prompt[row]), int(crossed.source[row])
        last = int(crossed.position[row])
        same = torch.equal(pairs.tokens[one, : last + 1], pairs.tokens[other, : last + 1])
        assert bool(found[row]) == same


def test_the_last_layers_lens_is_the_models_output(exact_model, pairs, candidates):
    run = capture(exact_model, pairs.tokens, ("resid_post",), positions=[2, -1])
    found = lens_logits(exact_model, run, candidates)
    assert found.shape == (7, 2, 3, 2)
    own = run.logits.gather(1, candidates)
    torch.testing.assert_close(found[:, -1, -1], own.double(), atol=1e-9, rtol=1e-9)


def test_the_gradient_of_the_norm_is_that_of_small_steps(exact_model, pairs):
    resid = capture(exact_model, pairs.tokens, ("resid_post",), positions=[-1]).resid_post[:, 0, 1]
    rng = np.random.default_rng(0)
    direction, step = (torch.from_numpy(rng.normal(size=exact_model.d_model)) for _ in range(2))
    gradient = norm_gradient(exact_model, resid, direction)
    h = 1e-3  # transformers computes some norms in float32
    ends = [normed(exact_model, resid + sign * h * step) @ direction for sign in (1, -1)]
    torch.testing.assert_close((ends[0] - ends[1]) / (2 * h), gradient @ step, rtol=1e-3, atol=1e-3)
