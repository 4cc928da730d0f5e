import numpy as np
import pytest
import torch

from pipeline_lib.errors import ActivationError
from pipeline_lib.interventions import (
    Patches,
    capture,
    patch_components,
    patch_everything,
    patch_log_probs,
    patch_logits,
)
from pipeline_lib.interventions.patches import all_patches, known_zero
from pipeline_lib.models.loading import load_model
from tests.unit.interventions import naive

SITES = ("z", "mlp_post")


def column(*values):
    return torch.tensor(values)


def effects(model, pairs, **options):
    counterfactual = capture(model, pairs.other, SITES)
    return patch_components(
        model, pairs.tokens, counterfactual, pairs.answers, pairs.other_answers, **options
    )


def test_a_batch_of_patches_equals_one_at_a_time(tiny_model, pairs):
    counterfactual = capture(tiny_model, pairs.other, SITES)
    patches = all_patches(7, range(5), range(3), tiny_model.n_heads + 1)
    logits = patch_logits(tiny_model, pairs.tokens, counterfactual, patches, batch_size=97)
    found = logits.reshape(3, tiny_model.n_heads + 1, 5, 7, -1)
    for layer in range(3):
        for component in range(tiny_model.n_heads + 1):
            for position in range(5):
                expected = naive.patch(
                    tiny_model, pairs.tokens, pairs.other, layer, position, component
                )
                error = (found[layer, component, position] - expected).abs().max()
                assert error < 1e-5 * expected.abs().max()


def test_axes_of_the_results(exact_model, pairs):
    result = effects(exact_model, pairs, positions=[-1, 3], layers=[2, 1])
    rtol = naive.rounding(exact_model, 1e-10)
    assert (result.positions, result.layers) == ((4, 3), (2, 1))
    for component in (1, exact_model.n_heads):
        logits = naive.patch(exact_model, pairs.tokens, pairs.other, 1, 3, component)
        logp = logits.log_softmax(-1)
        expected = logp.gather(1, pairs.answers[:, None])[:, 0]
        np.testing.assert_allclose(result.patched_r[:, 1, 1, component], expected, rtol=rtol)
        expected = logp.gather(1, pairs.other_answers[:, None])[:, 0]
        np.testing.assert_allclose(result.patched_cf[:, 1, 1, component], expected, rtol=rtol)
    logp = naive.run(exact_model, pairs.tokens).log_softmax(-1)
    expected = logp.gather(1, pairs.answers[:, None])[:, 0]
    np.testing.assert_allclose(result.clean_r, expected, rtol=rtol)


def test_indirect_effect_is_equation_one(exact_model, pairs):
    result = effects(exact_model, pairs)
    p_r, p_cf = np.exp(result.clean_r), np.exp(result.clean_cf)
    q_r, q_cf = np.exp(result.patched_r), np.exp(result.patched_cf)
    p_r, p_cf = p_r[:, None, None, None], p_cf[:, None, None, None]
    expected = ((q_cf - p_cf) / p_cf + (p_r - q_r) / q_r) / 2
    np.testing.assert_allclose(result.indirect_effect(), expected, rtol=1e-9, atol=1e-12)
    odds = np.log(q_r / q_cf) - np.log(p_r / p_cf)
    np.testing.assert_allclose(result.log_odds_change(), odds, rtol=1e-9, atol=1e-12)


def test_patch_with_itself_changes_nothing(exact_model, pairs):
    clean = capture(exact_model, pairs.tokens, SITES)
    answers = (pairs.answers, pairs.other_answers)
    # every forward pass is really made here ...
    run = patch_components(exact_model, pairs.tokens, clean, *answers, skip_known=False)
    assert np.abs(run.indirect_effect()).max() < naive.rounding(exact_model, 1e-12)
    # ... and known not to be needed here, also in float32
    skipped = patch_components(exact_model, pairs.tokens, clean, *answers)
    assert np.all(skipped.indirect_effect() == 0)


def test_last_layer_before_the_last_position_changes_nothing(exact_model, pairs):
    run = effects(exact_model, pairs, skip_known=False)
    last = exact_model.n_layers - 1
    assert np.abs(run.indirect_effect()[:, :4, last]).max() < naive.rounding(exact_model, 1e-12)
    assert np.abs(run.indirect_effect()[:, 4, last]).max() > 1e-3
    assert np.all(effects(exact_model, pairs).indirect_effect()[:, :4, last] == 0)


def test_skipping_known_zeros_changes_no_result(exact_model, pairs):
    run = effects(exact_model, pairs, skip_known=False)
    skipped = effects(exact_model, pairs)
    np.testing.assert_allclose(
        skipped.patched_r, run.patched_r, rtol=naive.rounding(exact_model, 1e-11)
    )
    np.testing.assert_allclose(
        skipped.patched_cf, run.patched_cf, rtol=naive.rounding(exact_model, 1e-11)
    )


def test_known_zeros_are_equal_prefixes_and_unread_activations(llama_model, pairs):
    patches = all_patches(7, range(5), range(3), 1)
    known = known_zero(llama_model, patches, pairs.tokens, pairs.other).reshape(3, 1, 5, 7)
    # 50-8 and 50-9 share BOS, operand and operator; 60+3 and 60-4 BOS and operand
    assert known[0, 0, :, 1].tolist() == [True, True, True, False, False]
    assert known[0, 0, :, 5].tolist() == [True, True, False, False, False]
    assert known[0, 0, :, 0].tolist() == [True, False, False, False, False]
    # the same "=" at the last position is no reason to be known
    assert not known[:, 0, 4].any()
    assert known[2, 0, :4].all()


def test_patching_everything_gives_the_counterfactual_run(tiny_model, pairs):
    counterfactual = capture(tiny_model, pairs.other)
    logits = patch_everything(tiny_model, pairs.tokens, counterfactual, batch_size=3)
    assert (logits - counterfactual.logits).abs().max() < 1e-5 * logits.abs().max()
    clean = capture(tiny_model, pairs.tokens).logits
    assert (logits - clean).abs().max() > 0.1


def test_patching_all_but_one_component_does_not(tiny_model, pairs):
    counterfactual = capture(tiny_model, pairs.other, layers=[0, 1])
    logits = patch_everything(tiny_model, pairs.tokens, counterfactual)
    assert (logits - counterfactual.logits).abs().max() > 0.01


def test_result_does_not_depend_on_the_batch_size(exact_model, pairs):
    np.testing.assert_allclose(
        effects(exact_model, pairs, batch_size=1).indirect_effect(),
        effects(exact_model, pairs, batch_size=500).indirect_effect(),
        rtol=naive.rounding(exact_model, 1e-9),
        atol=naive.rounding(exact_model, 1e-12),
    )


def test_single_neurons(exact_model, pairs):
    counterfactual = capture(exact_model, pairs.other, SITES, positions=[4])
    mlp = exact_model.n_heads
    patches = Patches(
        prompt=column(0, 3, 3),
        position=column(4, 4, 4),
        layer=column(1, 0, 2),
        component=column(mlp, mlp, mlp),
        neuron=column(6, -1, 0),
    )
    logits = patch_logits(exact_model, pairs.tokens, counterfactual, patches)
    module = naive.projections(exact_model)[1][1]

    def edit(x):
        x = x.clone()
        x[0, 4, 6] = counterfactual.mlp_post[0, 0, 1, 6]
        return x

    tolerance = {
        "rtol": naive.rounding(exact_model, 1e-10),
        "atol": naive.rounding(exact_model, 1e-10),
    }
    expected = naive.run(exact_model, pairs.tokens[:1], [(module, edit)])[0]
    torch.testing.assert_close(logits[0], expected, **tolerance)
    whole = naive.patch(exact_model, pairs.tokens, pairs.other, 0, 4, mlp)[3]
    torch.testing.assert_close(logits[1], whole, **tolerance)
    logp = patch_log_probs(
        exact_model, pairs.tokens, counterfactual, patches, pairs.answers, pairs.other_answers
    )
    torch.testing.assert_close(logp[0, 0], expected.log_softmax(-1)[pairs.answers[0]], **tolerance)
    torch.testing.assert_close(
        logp[0, 1], expected.log_softmax(-1)[pairs.other_answers[0]], **tolerance
    )


def test_progress_adds_up_to_all_patches(llama_model, pairs):
    done = []
    result = effects(llama_model, pairs, progress=done.append, batch_size=50)
    assert sum(done) == result.patched_r.size
    assert len(done) > 2


def test_no_prompts(llama_model, pairs):
    none = capture(llama_model, pairs.other[:0], SITES)
    ids = pairs.answers[:0]
    result = patch_components(llama_model, pairs.tokens[:0], none, ids, ids)
    assert result.indirect_effect().shape == (0, 5, 3, llama_model.n_heads + 1)


def test_non_finite_counterfactual_is_reported(model_folder, pairs):
    model = load_model(model_folder("gptj"), name="poor")
    counterfactual = capture(model, pairs.other, SITES)
    counterfactual.mlp_post[:, :, 2] = float("nan")
    with pytest.raises(ActivationError, match="poor: logits after patching"):
        patch_components(model, pairs.tokens, counterfactual, pairs.answers, pairs.other_answers)
