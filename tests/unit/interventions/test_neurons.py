"""Single neurons patched at the last position, against plain hooks."""

import numpy as np
import pytest
import torch

from pipeline_lib.errors import ActivationError
from pipeline_lib.interventions import (
    Patches,
    attribute,
    attribute_neurons,
    capture,
    neurons,
    patch_log_probs,
    patch_neurons,
)
from tests.unit.interventions import naive

LAYERS, NEURONS = torch.tensor([0, 2, 1, 0, 2]), torch.tensor([3, 0, 17, 4, 8])


def counterfactual_of(model, pairs):
    return capture(model, pairs.other, ("mlp_post",), positions=[-1])


def patched(model, pairs, **options):
    answers = (pairs.answers, pairs.other_answers)
    source = counterfactual_of(model, pairs)
    return patch_neurons(model, pairs.tokens, source, *answers, LAYERS, NEURONS, **options)


def probabilities(logits, pairs):
    p = logits.double().softmax(-1)
    ids = torch.stack([pairs.answers, pairs.other_answers], 1)
    return p.gather(1, ids).T


def hooked_loop(model, pairs, layer, neuron):
    """P of both answers with one hooked pass of the whole model."""
    source = naive.inputs(model, pairs.other)[layer, 1]

    def edit(x):
        x = x.clone()
        x[:, -1, neuron] = source[:, -1, neuron]
        return x

    module = naive.projections(model)[layer][1]
    return probabilities(naive.run(model, pairs.tokens, [(module, edit)]), pairs)


def test_effects_are_those_of_a_hooked_loop(exact_model, pairs):
    found = patched(exact_model, pairs)
    clean_r, clean_cf = probabilities(naive.run(exact_model, pairs.tokens), pairs)
    tolerance = naive.rounding(exact_model, 1e-9)
    for place, (layer, neuron) in enumerate(zip(LAYERS.tolist(), NEURONS.tolist(), strict=True)):
        r, cf = hooked_loop(exact_model, pairs, layer, neuron)
        effect = ((cf - clean_cf) / clean_cf + (clean_r - r) / r) / 2
        odds = torch.log(r / cf) - torch.log(clean_r / clean_cf)
        assert found.indirect_effect()[:, place] == pytest.approx(effect.numpy(), abs=tolerance)
        assert found.log_odds_change()[:, place] == pytest.approx(odds.numpy(), abs=tolerance)
        # the first MLP of a parallel residual reads the last token alone, "=" in both prompts
        assert layer == 0 or effect.abs().max() > 100 * tolerance


def test_the_cut_of_prompts_and_rows_does_not_matter(exact_model, pairs, monkeypatch):
    whole = patched(exact_model, pairs)
    monkeypatch.setattr(neurons, "PATCHES_AT_ONCE", 2 * len(NEURONS))
    cut = patched(exact_model, pairs, batch_size=3)
    for name in ("clean_r", "clean_cf", "patched_r", "patched_cf"):
        assert getattr(cut, name) == pytest.approx(
            getattr(whole, name), abs=naive.rounding(exact_model, 1e-9)
        )


def test_no_prompts_and_no_neurons(llama_model, pairs):
    source = counterfactual_of(llama_model, pairs)
    none = torch.empty(0, dtype=torch.int64)
    answers = (pairs.answers, pairs.other_answers)
    found = patch_neurons(llama_model, pairs.tokens, source, *answers, none, none)
    assert found.indirect_effect().shape == (len(pairs.tokens), 0)
    assert np.isfinite(found.clean_r).all()
    nothing = slice(0, 0)
    found = patch_neurons(
        llama_model, pairs.tokens[nothing], source.prompts(nothing),
        *(ids[nothing] for ids in answers), LAYERS, NEURONS,
    )  # fmt: skip
    assert found.log_odds_change().shape == (0, len(LAYERS))


def test_non_finite_activations_are_reported(llama_model, pairs):
    source = counterfactual_of(llama_model, pairs)
    source.mlp_post[0, 0, 2, 8] = torch.nan
    answers = (pairs.answers, pairs.other_answers)
    with pytest.raises(ActivationError, match="single neurons"):
        patch_neurons(llama_model, pairs.tokens, source, *answers, LAYERS, NEURONS)


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_attribution_of_neurons_alone_is_that_of_all_sites(exact_model, pairs, method):
    sites = ("z", "mlp_post")
    ends = [capture(exact_model, t, sites, positions=[-1]) for t in (pairs.tokens, pairs.other)]
    answers = (pairs.answers, pairs.other_answers)
    every = attribute(exact_model, pairs.tokens, *answers, *ends, method=method, steps=5)
    for end in ends:
        object.__setattr__(end, "z", None)  # frozen; what is not there cannot be read
    options = {"method": method, "steps": 5, "batch_size": 2}
    alone = attribute_neurons(exact_model, pairs.tokens, *answers, *ends, **options)
    torch.testing.assert_close(alone, every.neurons, rtol=1e-9, atol=1e-12)


def test_a_mixed_list_patches_each_as_it_says(exact_model, pairs):
    """Whole MLPs and single neurons of one layer in one list, as in lists of either alone."""
    source = counterfactual_of(exact_model, pairs)
    answers = (pairs.answers, pairs.other_answers)
    last = pairs.tokens.shape[1] - 1
    neuron = torch.tensor([5, -1, 9])
    column = torch.full((3,), 1)
    places = (column * last, column, column * exact_model.n_heads, neuron)
    every = Patches(torch.tensor([0, 1, 2]), *places)
    together = patch_log_probs(exact_model, pairs.tokens, source, every, *answers)
    for row in range(3):
        alone = every[torch.tensor([row])]
        found = patch_log_probs(exact_model, pairs.tokens, source, alone, *answers)
        torch.testing.assert_close(found[0], together[row], rtol=1e-9, atol=1e-9)
