import pytest
import torch

from pipeline_lib.errors import ActivationError
from pipeline_lib.interventions import attribute, capture, patch_components
from tests.unit.interventions import naive

SITES = ("z", "mlp_post")


def half_difference(logits, pairs):
    r = logits.gather(1, pairs.answers[:, None])[:, 0]
    cf = logits.gather(1, pairs.other_answers[:, None])[:, 0]
    return (cf - r) / 2


def run(model, pairs, positions=None, **options):
    clean = capture(model, pairs.tokens, SITES, positions=positions)
    other = capture(model, pairs.other, SITES, positions=positions)
    answers = (pairs.answers, pairs.other_answers)
    return attribute(model, pairs.tokens, *answers, clean, other, **options)


def moved(model, pairs, layer, position, which, part, amount):
    """The scalar with part of an activation moved towards the counterfactual's."""
    start, end = (naive.inputs(model, t)[layer, which] for t in (pairs.tokens, pairs.other))

    def edit(x):
        x = x.clone()
        difference = (end - start)[:, position, part]
        x[:, position, part] = start[:, position, part] + amount * difference
        return x

    module = naive.projections(model)[layer][which]
    return half_difference(naive.run(model, pairs.tokens, [(module, edit)]), pairs)


@pytest.mark.parametrize(("layer", "position"), [(0, 1), (1, 3), (2, 4)])
def test_gradient_equals_finite_differences(exact_model, pairs, layer, position):
    found = run(exact_model, pairs)
    # transformers computes RMSNorm and GPT-J's attention in float32 even in a float64 model, which
    # limits how small a step can be there
    double = exact_model.name.startswith(("gpt_neox", "gpt2"))
    step = 1e-5 if double else 1e-2
    close = {"rtol": 1e-5, "atol": 1e-8} if double else {"rtol": 1e-3, "atol": 5e-4}

    def slope(which, part):
        ends = [moved(exact_model, pairs, layer, position, which, part, s) for s in (step, -step)]
        return (ends[0] - ends[1]) / (2 * step)

    for neuron in (0, 17):
        expected = slope(1, slice(neuron, neuron + 1))
        torch.testing.assert_close(found.neurons[:, position, layer, neuron], expected, **close)
        assert expected.abs().max() > 10 * close["atol"]
    for head in (0, 3):
        width = exact_model.d_head
        expected = slope(0, slice(head * width, (head + 1) * width))
        torch.testing.assert_close(found.heads[:, position, layer, head], expected, **close)
        assert expected.abs().max() > 10 * close["atol"]


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_result_does_not_depend_on_the_batch_size(exact_model, pairs, method):
    one, all_at_once = (run(exact_model, pairs, method=method, batch_size=n) for n in (1, 100))
    torch.testing.assert_close(one.heads, all_at_once.heads, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(one.neurons, all_at_once.neurons, rtol=1e-9, atol=1e-12)


def test_default_batch_size_gives_the_same(llama_model, pairs):
    one, default = (run(llama_model, pairs, batch_size=n) for n in (1, None))
    torch.testing.assert_close(one.neurons, default.neurons)


def test_integrated_gradients_add_up_to_the_effect_of_the_site(exact_model, pairs):
    """Completeness: the sum over a site's units is the exact change by patching the site there."""
    clean = half_difference(naive.run(exact_model, pairs.tokens), pairs)
    errors = []
    for steps in (16, 32):
        found = run(exact_model, pairs, method="integrated", steps=steps)
        error = 0.0
        for layer, position in ((0, 1), (1, 3), (2, 4)):
            for which, sums in ((0, found.heads.sum(-1)), (1, found.neurons.sum(-1))):
                all_units = slice(None)
                change = moved(exact_model, pairs, layer, position, which, all_units, 1.0) - clean
                error = max(error, (sums[:, position, layer] - change).abs().max().item())
                assert change.abs().max() > 0.01
        errors.append(error)
    assert errors[1] < 0.02
    # the midpoint rule converges with the square of the number of steps
    assert errors[1] < errors[0] / 2.5


def test_mlp_effects_agree_with_patching(exact_model, pairs):
    found = run(exact_model, pairs, method="integrated", steps=64)
    other = capture(exact_model, pairs.other, SITES)
    answers = (pairs.answers, pairs.other_answers)
    patched = patch_components(exact_model, pairs.tokens, other, *answers)
    exact = torch.from_numpy(-patched.log_odds_change()[..., -1] / 2)
    torch.testing.assert_close(found.neurons.sum(-1), exact, rtol=0, atol=5e-3)


def test_positions_are_a_selection(llama_model, pairs):
    every = run(llama_model, pairs)
    last = run(llama_model, pairs, positions=[-1])
    assert last.positions == (4,)
    torch.testing.assert_close(last.neurons[:, 0], every.neurons[:, 4])
    torch.testing.assert_close(last.heads[:, 0], every.heads[:, 4])


def test_no_gradients_on_parameters(tiny_model, pairs):
    run(tiny_model, pairs)
    assert all(p.grad is None and not p.requires_grad for p in tiny_model.hf.parameters())


def test_same_prompts_have_no_attribution(llama_model, pairs):
    clean = capture(llama_model, pairs.tokens, SITES)
    answers = (pairs.answers, pairs.other_answers)
    found = attribute(llama_model, pairs.tokens, *answers, clean, clean)
    assert found.neurons.abs().max() == 0
    assert found.heads.abs().max() == 0


def test_no_prompts(llama_model, pairs):
    none = capture(llama_model, pairs.tokens[:0], SITES)
    ids = pairs.answers[:0]
    found = attribute(llama_model, pairs.tokens[:0], ids, ids, none, none)
    assert found.heads.shape == (0, 5, 3, llama_model.n_heads)
    assert found.neurons.shape == (0, 5, 3, llama_model.d_mlp)


def test_non_finite_results_are_reported_or_kept(llama_model, pairs):
    clean, other = (capture(llama_model, t, SITES) for t in (pairs.tokens, pairs.other))
    other.mlp_post[2, 1, 0, 7] = float("inf")
    answers = (pairs.answers, pairs.other_answers)
    with pytest.raises(ActivationError, match="layer 0, mlp_post"):
        attribute(llama_model, pairs.tokens, *answers, clean, other)
    found = attribute(llama_model, pairs.tokens, *answers, clean, other, check=False)
    assert (~torch.isfinite(found.neurons)).sum() == 1


def test_mismatched_activations_are_refused(llama_model, pairs):
    clean = capture(llama_model, pairs.tokens, SITES, positions=[-1])
    other = capture(llama_model, pairs.other, SITES)
    with pytest.raises(ValueError, match="positions or layers"):
        attribute(llama_model, pairs.tokens, pairs.answers, pairs.other_answers, clean, other)
