"""Suffix passes against one hooked forward pass per patch, on prompts of several lengths."""

from dataclasses import replace

import pytest
import torch

from pipeline_lib.errors import ModelError
from pipeline_lib.interventions import Patches, capture, patch_logits
from pipeline_lib.interventions import patch as patch_module
from pipeline_lib.interventions.batching import run_batches
from pipeline_lib.interventions.clean import run_clean
from pipeline_lib.interventions.patches import all_patches
from pipeline_lib.models.loading import load_model
from tests.unit.interventions import naive

SITES = ("z", "mlp_post", "resid_post")


def random_tokens(n_tokens, seed, n_prompts=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 100, (n_prompts, n_tokens), generator=generator)


def largest_error(model, n_tokens, positions, layers=(0, 1, 2)):
    """Largest difference to naive patching, as a share of the largest logit."""
    tokens, other = (random_tokens(n_tokens, seed) for seed in (1, 2))
    counterfactual = capture(model, other, SITES)
    patches = all_patches(4, positions, layers, model.n_heads + 1)
    found = patch_logits(model, tokens, counterfactual, patches)
    found = found.reshape(len(layers), model.n_heads + 1, len(positions), 4, -1)
    worst = 0.0
    for i, layer in enumerate(layers):
        for component in range(model.n_heads + 1):
            for j, position in enumerate(positions):
                expected = naive.patch(model, tokens, other, layer, position, component)
                error = (found[i, component, j] - expected).abs().max() / expected.abs().max()
                worst = max(worst, error.item())
    return worst


@pytest.mark.parametrize("n_tokens", [2, 5, 12])
def test_prompts_of_any_length(tiny_model, n_tokens):
    assert largest_error(tiny_model, n_tokens, (0, n_tokens // 2, n_tokens - 1)) < 1e-5


def test_exact_in_float64(exact_model):
    assert largest_error(exact_model, 6, (0, 3, 5)) < naive.rounding(exact_model, 1e-10)


def test_one_token_prompts(llama_model):
    assert largest_error(llama_model, 1, (0,)) < 1e-5


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_result_does_not_depend_on_the_rows_of_a_pass(exact_model, batch_size):
    tokens, other = (random_tokens(6, seed) for seed in (1, 2))
    counterfactual = capture(exact_model, other, SITES)
    patches = all_patches(4, (1, 4, 5), (0, 2, 1), exact_model.n_heads + 2)
    whole = patch_logits(exact_model, tokens, counterfactual, patches)
    parts = patch_logits(exact_model, tokens, counterfactual, patches, batch_size=batch_size)
    limit = naive.rounding(exact_model, 1e-10)
    torch.testing.assert_close(parts, whole, rtol=limit, atol=limit)


def test_result_does_not_depend_on_the_prompts_of_a_clean_run(exact_model, monkeypatch):
    tokens, other = (random_tokens(6, seed) for seed in (1, 2))
    counterfactual = capture(exact_model, other, SITES)
    patches = all_patches(4, (1, 5), (0, 2), exact_model.n_heads + 1)
    whole = patch_logits(exact_model, tokens, counterfactual, patches)
    monkeypatch.setattr(patch_module, "clean_rows", lambda model, n_tokens: 3)
    parts = patch_logits(exact_model, tokens, counterfactual, patches)
    limit = naive.rounding(exact_model, 1e-10)
    torch.testing.assert_close(parts, whole, rtol=limit, atol=limit)


def test_residual_patches(tiny_model):
    tokens, other = (random_tokens(5, seed) for seed in (1, 2))
    counterfactual = capture(tiny_model, other, SITES)
    column = torch.tensor([0, 1, 2])
    patches = Patches(column, 1 + column, column, torch.full((3,), tiny_model.n_heads + 1))
    found = patch_logits(tiny_model, tokens, counterfactual, patches)
    for row in range(3):
        expected = residual_patch(tiny_model, tokens, counterfactual, row, 1 + row, row)
        torch.testing.assert_close(found[row], expected, atol=1e-4, rtol=1e-4)


def residual_patch(model, tokens, counterfactual, row, position, layer):
    value = counterfactual.resid_post[row, position, layer]

    def replace(module, args, output):
        hidden = output[0] if isinstance(output, tuple) else output
        hidden = hidden.clone()
        hidden[:, position] = value
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    layers = model.hf.get_submodule(model.arch.layers)
    handle = layers[layer].register_forward_hook(replace)
    try:
        return naive.run(model, tokens[row : row + 1])[0]
    finally:
        handle.remove()


def test_patches_in_any_order(llama_model):
    tokens, other = (random_tokens(5, seed) for seed in (1, 2))
    counterfactual = capture(llama_model, other, SITES)
    patches = all_patches(4, range(5), range(3), llama_model.n_heads + 1)
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))
    whole = patch_logits(llama_model, tokens, counterfactual, patches)
    shuffled = patch_logits(llama_model, tokens, counterfactual, patches[order])
    torch.testing.assert_close(shuffled, whole[order], atol=1e-5, rtol=1e-5)


def test_clean_run_is_that_of_transformers(tiny_model):
    tokens = random_tokens(5, 1)
    clean = run_clean(tiny_model, tokens)
    with torch.no_grad():
        states = tiny_model.hf(tokens, output_hidden_states=True).hidden_states
    for layer in range(tiny_model.n_layers):
        torch.testing.assert_close(clean.resid[layer], states[layer])
    assert len(clean.resid) == tiny_model.n_layers + 1
    torch.testing.assert_close(clean.logits, naive.run(tiny_model, tokens))


def test_out_of_memory_halves_the_batches():
    sizes = []

    def run(rows):
        sizes.append(rows.stop - rows.start)
        if sizes[-1] > 3:
            raise torch.cuda.OutOfMemoryError
        return list(range(rows.start, rows.stop))

    results = [item for _, result in run_batches(10, 8, run) for item in result]
    assert results == list(range(10))
    assert sizes == [8, 4, 2, 2, 2, 2, 2]


def test_a_row_that_does_not_fit_is_reported():
    def run(rows):
        raise torch.cuda.OutOfMemoryError("full")

    with pytest.raises(torch.cuda.OutOfMemoryError, match="full"):
        list(run_batches(4, 4, run))


def test_patching_goes_on_after_out_of_memory(llama_model, monkeypatch):
    """A device on which at most 9 rows fit, and a clean run of at most 2 prompts."""
    tokens, other = (random_tokens(5, seed) for seed in (1, 2))
    counterfactual = capture(llama_model, other, SITES)
    patches = all_patches(4, (1, 4), range(3), llama_model.n_heads + 1)
    expected = patch_logits(llama_model, tokens, counterfactual, patches)

    def limited(function, rows_of, most):
        def run(*args, **options):
            if rows_of(*args) > most:
                raise torch.cuda.OutOfMemoryError
            return function(*args, **options)

        return run

    run_pass, run_clean = patch_module._Passes._run, patch_module.run_clean
    fits = limited(run_pass, lambda *args: args[-1].stop - args[-1].start, 9)
    monkeypatch.setattr(patch_module._Passes, "_run", fits)
    monkeypatch.setattr(patch_module, "run_clean", limited(run_clean, lambda _, t: len(t), 2))
    found = patch_logits(llama_model, tokens, counterfactual, patches)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_half_precision_model_gives_float32_metrics(model_folder):
    full, half = (load_model(model_folder("llama"), dtype=d) for d in ("float32", "bfloat16"))
    tokens, other = (random_tokens(5, seed) for seed in (1, 2))
    results = []
    for model in (full, half):
        patches = all_patches(4, (1, 4), range(3), model.n_heads + 1)
        results.append(patch_logits(model, tokens, capture(model, other, SITES), patches))
    assert results[1].dtype == torch.float32
    assert (results[0] - results[1]).abs().max() < 0.05 * results[0].abs().max()


@pytest.mark.parametrize("positions", [(1, 3), (0, 1, 2, 3, 4), (4, 4)])
def test_several_positions_at_once(exact_model, positions):
    tokens, other = (random_tokens(5, seed) for seed in (1, 2))
    counterfactual = capture(exact_model, other, SITES)
    every = all_patches(4, (0,), range(3), exact_model.n_heads + 2)
    patches = replace(every, position=torch.tensor(positions).expand(len(every), -1))
    found = patch_logits(exact_model, tokens, counterfactual, patches, batch_size=17)
    for row in range(0, len(patches), 5):
        one = (patches.layer[row], patches.component[row], patches.prompt[row])
        layer, component, prompt = (int(value) for value in one)
        pair = tokens[prompt : prompt + 1], other[prompt : prompt + 1]
        if component <= exact_model.n_heads:
            expected = naive.patch(exact_model, *pair, layer, list(positions), component)[0]
        else:
            expected = residual_patch(
                exact_model, tokens, counterfactual, prompt, list(positions), layer
            )
        error = (found[row] - expected).abs().max() / expected.abs().max()
        assert error < naive.rounding(exact_model, 1e-10)


def test_prompts_beyond_a_sliding_window_are_refused(model_folder, monkeypatch):
    model = load_model(model_folder("llama"), name="windowed")
    monkeypatch.setattr(model.hf.config, "sliding_window", 6, raising=False)
    assert len(run_clean(model, random_tokens(5, 1)).resid) == 4
    with pytest.raises(ModelError, match="6 tokens, a window of 6"):
        run_clean(model, random_tokens(6, 1))
