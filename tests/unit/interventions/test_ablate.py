import pytest
import torch

from pipeline_lib.interventions import ablate_heads, ablate_neurons, capture, predict_ablated
from tests.unit.interventions import naive


def naive_ablation(model, tokens, row, mask, fill, start, which=1):
    """One row by plain hooks: units in ``mask`` [layer unit] set to ``fill`` from ``start`` on."""

    def edit_of(layer):
        def edit(x):
            x = x.clone()
            for unit in mask[layer].nonzero()[:, 0].tolist():
                x[:, start:, unit] = fill[layer, start:, unit]
            return x

        return edit

    modules = [pair[which] for pair in naive.projections(model)]
    edits = [(module, edit_of(layer)) for layer, module in enumerate(modules)]
    return naive.run(model, tokens[row : row + 1], edits)[0]


def random_mask(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1)) < 0.3


def test_nothing_ablated_is_the_clean_run(tiny_model, pairs):
    clean = capture(tiny_model, pairs.tokens).logits
    none = torch.zeros(7, tiny_model.n_layers, tiny_model.d_mlp, dtype=torch.bool)
    assert torch.equal(ablate_neurons(tiny_model, pairs.tokens, none), clean)
    heads = none[..., : tiny_model.n_heads]
    assert torch.equal(ablate_heads(tiny_model, pairs.tokens, heads), clean)


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("value", ["zero", "mean"])
def test_each_row_has_its_own_neurons(tiny_model, pairs, positions, value):
    shape = (tiny_model.n_layers, 5, tiny_model.d_mlp)
    means = torch.randn(*shape, generator=torch.Generator().manual_seed(2))
    mask = random_mask(7, tiny_model.n_layers, tiny_model.d_mlp)
    logits = ablate_neurons(
        tiny_model,
        pairs.tokens,
        mask,
        value="zero" if value == "zero" else means,
        positions=positions,
        batch_size=4,
    )
    fill = torch.zeros(shape) if value == "zero" else means
    start = 0 if positions == "all" else 4
    for row in range(7):
        expected = naive_ablation(tiny_model, pairs.tokens, row, mask[row], fill, start)
        torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)
    assert (logits - naive.run(tiny_model, pairs.tokens)).abs().max() > 0.1


def test_rows_may_repeat_a_prompt(llama_model, pairs):
    tokens = pairs.tokens[[0, 0, 0]]
    mask = torch.zeros(3, llama_model.n_layers, llama_model.d_mlp, dtype=torch.bool)
    mask[1, 0] = True
    logits = ablate_neurons(llama_model, tokens, mask)
    torch.testing.assert_close(logits[0], logits[2])
    assert (logits[0] - logits[1]).abs().max() > 0.1


@pytest.mark.parametrize("positions", ["all", "last"])
def test_heads(tiny_model, pairs, positions):
    mask = random_mask(7, tiny_model.n_layers, tiny_model.n_heads)
    units = mask.repeat_interleave(tiny_model.d_head, -1)
    generator = torch.Generator().manual_seed(3)
    means = torch.randn(3, 5, tiny_model.n_heads, tiny_model.d_head, generator=generator)
    start = 0 if positions == "all" else 4
    for value, fill in (("zero", torch.zeros_like(means)), (means, means)):
        logits = ablate_heads(tiny_model, pairs.tokens, mask, value=value, positions=positions)
        for row in range(7):
            expected = naive_ablation(
                tiny_model, pairs.tokens, row, units[row], fill.flatten(2), start, which=0
            )
            torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)


def test_predictions_without_keeping_logits(tiny_model, pairs):
    mask = random_mask(7, tiny_model.n_layers, tiny_model.d_mlp)
    expected = ablate_neurons(tiny_model, pairs.tokens, mask).argmax(-1)
    assert torch.equal(predict_ablated(tiny_model, pairs.tokens, mask, batch_size=2), expected)


def test_no_rows(llama_model, pairs):
    none = torch.zeros(0, llama_model.n_layers, llama_model.d_mlp, dtype=torch.bool)
    assert ablate_neurons(llama_model, pairs.tokens[:0], none).shape == (0, llama_model.d_vocab)
    assert predict_ablated(llama_model, pairs.tokens[:0], none).shape == (0,)
