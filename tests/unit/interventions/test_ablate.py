from dataclasses import replace

import pytest
import torch

from pipeline_lib.interventions import (
    ablate,
    ablate_circuits,
    ablate_heads,
    ablate_neurons,
    capture,
    predict_ablated,
)
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


@pytest.mark.parametrize("positions", ["all", "last"])
def test_predictions_with_other_prompts_activations(tiny_model, pairs, positions):
    """Two sets and three donors, named row by row: what `ablate` does with a donor for each row."""
    other = capture(tiny_model, pairs.other[:3], ("mlp_post",))
    sets, donors = torch.tensor([0, 1, 1, 0, 1, 0, 0]), torch.tensor([2, 2, 0, 1, 1, 0, 2])
    masks = random_mask(2, tiny_model.n_layers, tiny_model.d_mlp)
    predicted = predict_ablated(
        tiny_model,
        pairs.tokens,
        masks,
        sets=sets,
        value=other.mlp_post.transpose(1, 2),
        fillings=donors,
        positions=positions,
        batch_size=3,
    )
    expected = ablate(
        tiny_model,
        pairs.tokens,
        neurons=masks[sets],
        value=other.prompts(donors),
        positions=positions,
    )
    assert torch.equal(predicted, expected.argmax(-1))
    zeros = predict_ablated(tiny_model, pairs.tokens, masks, sets=sets, positions=positions)
    assert not torch.equal(predicted, zeros)


def test_no_rows(llama_model, pairs):
    none = torch.zeros(0, llama_model.n_layers, llama_model.d_mlp, dtype=torch.bool)
    assert ablate_neurons(llama_model, pairs.tokens[:0], none).shape == (0, llama_model.d_vocab)
    assert predict_ablated(llama_model, pairs.tokens[:0], none).shape == (0,)


def both_by_hand(model, tokens, row, heads, neurons, z, post, start):
    """One row by plain hooks: heads and neurons at once."""
    edits = []
    for layer, (attention, mlp) in enumerate(naive.projections(model)):
        units = heads[layer].repeat_interleave(model.d_head)
        for module, chosen, fill in (
            (attention, units, z[:, layer].flatten(1)),
            (mlp, neurons[layer], post[:, layer]),
        ):

            def edit(x, chosen=chosen, fill=fill):
                x = x.clone()
                x[:, start:, chosen] = fill[start:, chosen]
                return x

            edits.append((module, edit))
    return naive.run(model, tokens[row : row + 1], edits)[0]


@pytest.mark.parametrize("positions", ["all", "last"])
@pytest.mark.parametrize("value", ["zero", "mean", "resample"])
def test_heads_and_neurons_at_once(tiny_model, pairs, positions, value):
    other = capture(tiny_model, pairs.other)
    means = replace(
        other.prompts(slice(0, 1)),
        z=other.z.mean(0, keepdim=True),
        mlp_post=other.mlp_post.mean(0, keepdim=True),
    )
    heads = random_mask(7, tiny_model.n_layers, tiny_model.n_heads)
    neurons = random_mask(7, tiny_model.n_layers, tiny_model.d_mlp)
    heads[2:4, 0], neurons[2:4, 0] = False, False
    given = {"zero": "zero", "mean": means, "resample": other}[value]
    logits = ablate(
        tiny_model,
        pairs.tokens,
        heads=heads,
        neurons=neurons,
        value=given,
        positions=positions,
        batch_size=3,
    )
    start = 4 if positions == "last" else 0
    for row in range(7):
        source = {"zero": means, "mean": means, "resample": other.prompts(slice(row, row + 1))}
        z, post = source[value].z[0], source[value].mlp_post[0]
        z, post = (x * (value != "zero") for x in (z, post))
        expected = both_by_hand(
            tiny_model, pairs.tokens, row, heads[row], neurons[row], z, post, start
        )
        torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)


def test_resampling_everything_gives_the_other_run(tiny_model, pairs):
    other = capture(tiny_model, pairs.other)
    heads = torch.ones(7, 3, tiny_model.n_heads, dtype=torch.bool)
    neurons = torch.ones(7, 3, tiny_model.d_mlp, dtype=torch.bool)
    logits = ablate(tiny_model, pairs.tokens, heads=heads, neurons=neurons, value=other)
    torch.testing.assert_close(logits, other.logits, atol=1e-4, rtol=1e-4)


def test_circuits_are_what_is_kept(tiny_model, pairs):
    other = capture(tiny_model, pairs.other)
    heads = random_mask(3, tiny_model.n_layers, tiny_model.n_heads)
    neurons = random_mask(3, tiny_model.n_layers, tiny_model.d_mlp)
    heads[2], neurons[2] = True, True
    logits = ablate_circuits(tiny_model, pairs.tokens, heads=heads, neurons=neurons, value=other)
    for circuit in range(3):
        expected = ablate(
            tiny_model,
            pairs.tokens,
            heads=~heads[circuit].expand(7, -1, -1),
            neurons=~neurons[circuit].expand(7, -1, -1),
            value=other,
        )
        torch.testing.assert_close(logits[circuit], expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(logits[2], capture(tiny_model, pairs.tokens).logits)
    assert (logits[0] - logits[1]).abs().max() > 0.1


def test_result_does_not_depend_on_the_batch_size(exact_model, pairs):
    mask = random_mask(7, exact_model.n_layers, exact_model.d_mlp)
    mask[3:, 0] = False
    one, all_at_once = (
        ablate_neurons(exact_model, pairs.tokens, mask, batch_size=n) for n in (1, 100)
    )
    limit = naive.rounding(exact_model, 1e-10)
    torch.testing.assert_close(one, all_at_once, rtol=limit, atol=limit)


def test_layers_below_the_first_ablated_one_run_once_per_prompt(llama_model, pairs):
    """Four circuits of one prompt, ablated in the last layer: only that layer sees four rows."""
    tokens = pairs.tokens[[0, 0, 0, 0]]
    mask = torch.zeros(4, llama_model.n_layers, llama_model.d_mlp, dtype=torch.bool)
    mask[torch.arange(4), 2, torch.arange(4)] = True
    rows = []
    hooks = [
        mlp.register_forward_pre_hook(lambda _, args, i=i: rows.append((i, len(args[0]))))
        for i, (_, mlp) in enumerate(naive.projections(llama_model))
    ]
    try:
        predict_ablated(llama_model, tokens, mask)
    finally:
        for hook in hooks:
            hook.remove()
    assert rows == [(0, 1), (1, 1), (2, 1), (2, 4)]


@pytest.mark.parametrize("positions", [(1, 3), (4,), (-2, 0)])
def test_some_positions(tiny_model, pairs, positions):
    heads = random_mask(7, tiny_model.n_layers, tiny_model.n_heads)
    other = capture(tiny_model, pairs.other, ("z",))
    logits = ablate(tiny_model, pairs.tokens, heads=heads, value=other, positions=positions)
    for row in range(7):
        edits = []
        for layer, (attention, _) in enumerate(naive.projections(tiny_model)):

            def edit(x, row=row, layer=layer):
                x = x.clone().unflatten(-1, (tiny_model.n_heads, -1))
                for head in heads[row, layer].nonzero()[:, 0]:
                    x[:, list(positions), head] = other.z[row, list(positions), layer, head]
                return x.flatten(-2)

            edits.append((attention, edit))
        expected = naive.run(tiny_model, pairs.tokens[row : row + 1], edits)[0]
        torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)
