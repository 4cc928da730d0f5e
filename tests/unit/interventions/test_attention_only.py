"""The engine on a model whose MLPs have no neurons, against plain hooks."""

import dataclasses

import pytest
import torch

from pipeline_lib.interventions import (
    Receiver,
    Sender,
    ablate_heads,
    attention_patterns,
    capture,
    patch_components,
    patch_everything,
    path_patch,
)
from pipeline_lib.models.loading import load_model
from pipeline_lib.models.training.folders import save_folder
from pipeline_lib.rng import generator
from pipeline_lib.verification.checks import require_passed
from pipeline_lib.verification.sample import PromptPairs
from pipeline_lib.verification.verify import verify_engine
from tests.conftest import ATTENTION_ONLY
from tests.unit.interventions import naive

SITES = ("z", "mlp_post")


@pytest.fixture
def model(attention_model):
    return attention_model


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_it_is_saved_and_loaded_as_it_is(model, pairs, tmp_path):
    save_folder(model.hf, model.tokenizer, tmp_path / "copy")
    copy = load_model(tmp_path / "copy")
    assert (copy.d_mlp, copy.w_out(0).shape) == (0, (0, copy.d_model))
    with torch.no_grad():
        expected = model.hf(pairs.tokens).logits[:, -1]
    found = capture(copy, pairs.tokens, ["z"]).logits
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


def test_captured_heads_are_what_a_hook_sees(model, pairs):
    run = capture(model, pairs.tokens, SITES)
    assert run.mlp_post.shape == (7, 5, 3, 0)
    found = naive.inputs(model, pairs.tokens)
    for layer in range(model.n_layers):
        torch.testing.assert_close(run.z[:, :, layer].flatten(-2), found[layer, 0])


def test_patches_are_those_of_hooks_and_an_mlp_carries_nothing(model, pairs):
    other = capture(model, pairs.other, SITES)
    answers = (pairs.answers, pairs.other_answers)
    result = patch_components(model, pairs.tokens, other, *answers, skip_known=False)
    logits = naive.patch(model, pairs.tokens, pairs.other, 1, 3, 2).log_softmax(-1)
    expected = logits.gather(1, pairs.answers[:, None])[:, 0]
    torch.testing.assert_close(torch.as_tensor(result.patched_r[:, 3, 1, 2]), expected)
    unchanged = torch.as_tensor(result.patched_r[..., model.n_heads])
    clean = torch.as_tensor(result.clean_r)[:, None, None].expand_as(unchanged)
    torch.testing.assert_close(unchanged, clean, atol=1e-12, rtol=1e-12)


def test_all_heads_patched_everywhere_with_the_embedding_left_alone(model, pairs):
    own = capture(model, pairs.tokens, SITES)
    logits = patch_everything(model, pairs.tokens, own)
    torch.testing.assert_close(logits, own.logits)


@pytest.mark.parametrize("value", ["zero", "mean"])
def test_ablated_heads_are_those_of_hooks(model, pairs, value):
    own = capture(model, pairs.tokens, ["z"]).z
    filling = torch.zeros_like(own[0]) if value == "zero" else own.mean(0)
    mask = torch.zeros(7, 3, 4, dtype=torch.bool)
    mask[:, 0, 1] = mask[:, 2, 3] = True

    def edit(layer, head):
        def put(x):
            changed = x.clone().unflatten(-1, (4, -1))
            changed[:, :, head] = filling[:, layer, head]
            return changed.flatten(-2)

        return naive.projections(model)[layer][0], put

    expected = naive.run(model, pairs.tokens, [edit(0, 1), edit(2, 3)])
    given = "zero" if value == "zero" else filling.transpose(0, 1)
    torch.testing.assert_close(ablate_heads(model, pairs.tokens, mask, value=given), expected)


def test_attention_is_the_models_own(model, pairs):
    model.hf.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model.hf(pairs.tokens, output_attentions=True).attentions
    found = attention_patterns(model, pairs.tokens)
    torch.testing.assert_close(found, torch.stack(expected, 1))


def test_paths_that_add_up_through_no_mlp(model, pairs):
    other, sender = capture(model, pairs.other, ["z"]), Sender(2, 1, 4)
    patched = path_patch(model, pairs.tokens, other, sender, Receiver("logits"))
    whole = naive.patch(model, pairs.tokens, pairs.other, 2, 4, 1)
    torch.testing.assert_close(patched, whole)


def test_the_self_test_passes(model_folder, pairs):
    texts = (pairs.tokens, pairs.other, pairs.answers, pairs.other_answers)
    sample = PromptPairs(*texts, (1, 2, 3, 4))
    folder = model_folder(ATTENTION_ONLY)
    checks = verify_engine(lambda: load_model(folder), sample, 12, generator(0, "test"))
    assert {check.status for check in checks} == {"measured", "passed"}
    require_passed(checks, "model")
    assert all(dataclasses.asdict(check)["compared"] for check in checks)
