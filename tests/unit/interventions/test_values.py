import pytest
import torch

from pipeline_lib.interventions import key_logits, ov_logits, value_logits
from tests.unit.interventions import naive


def test_value_logits_by_hand(exact_model, number_tokens):
    neurons, layer = [3, 20], 1
    ids = torch.from_numpy(number_tokens.number_ids)
    found = value_logits(exact_model, layer, torch.tensor(neurons), ids)
    weight = naive.projections(exact_model)[layer][1].weight
    rows = weight if exact_model.name == "gpt2" else weight.T
    parameters = dict(exact_model.hf.named_parameters())
    names = ["model.norm.weight", "gpt_neox.final_layer_norm.weight", "transformer.ln_f.weight"]
    (norm,) = (parameters[name] for name in names if name in parameters)
    unembedding = exact_model.hf.get_output_embeddings().weight
    for index, neuron in enumerate(neurons):
        row = rows[neuron]
        if exact_model.arch.layer_norm:
            row = row - row.mean()
        logits = unembedding @ (row * norm)
        expected = (logits - logits.mean())[ids]
        torch.testing.assert_close(found[index], expected)


def test_value_logits_are_the_direct_effect_of_a_neuron(exact_model, number_tokens, pairs):
    """Change of the logits when a last-layer neuron moves, with the final norm's scale frozen."""
    model, neuron = exact_model, 7
    ids = torch.from_numpy(number_tokens.number_ids)
    values = value_logits(model, model.n_layers - 1, torch.tensor([neuron]), ids)[0]
    resid = torch.randn(model.d_model, generator=torch.Generator().manual_seed(0)).double()
    added = resid + model.w_out(model.n_layers - 1)[neuron]

    def logits(x):
        centred = x - x.mean() if model.arch.layer_norm else x
        scaled = centred * model.final_norm.weight + getattr(model.final_norm, "bias", 0)
        return model.unembedding(scaled)

    change = logits(added) - logits(resid)
    torch.testing.assert_close(values, (change - change.mean())[ids])


def test_no_neurons(llama_model, number_tokens):
    ids = torch.from_numpy(number_tokens.number_ids)
    none = torch.empty(0, dtype=torch.int64)
    assert value_logits(llama_model, 0, none, ids).shape == (0, 100)


def _residual(model):
    return torch.randn(model.d_model, generator=torch.Generator().manual_seed(1)).double()


def _scaled(model, norm, x):
    """A norm with its scale frozen at 1: centring and weight alone."""
    return (x - x.mean() if model.arch.layer_norm else x) * norm.weight


def test_key_logits_are_how_far_a_residual_moves_the_projection(exact_model, number_tokens):
    """<key, direction that raises the token's logit> = change of W_in norm(x), scales frozen."""
    model, layer, neuron = exact_model, 1, 11
    ids = torch.from_numpy(number_tokens.number_ids)
    found = key_logits(model, layer, torch.tensor([neuron]), ids)
    layer_module = model.layers[layer]
    norm = layer_module.get_submodule(model.arch.mlp_norm)
    names = {"llama": {"gate", "up"}, "qwen3": {"gate", "up"}}
    assert set(found) == names.get(model.name, {"in"})
    unembedding = model.hf.get_output_embeddings().weight
    for name, logits in found.items():
        projection = layer_module.get_submodule(model.arch.mlp_ins[name])
        raised = unembedding[ids[30]] - unembedding.mean(0)
        direction = raised * model.final_norm.weight
        if model.arch.layer_norm:
            direction = direction - direction.mean()
        start = _residual(model)
        before, after = (
            projection(_scaled(model, norm, x)[None])[0, neuron] for x in (start, start + direction)
        )
        torch.testing.assert_close(logits[0, 30], after - before)


@pytest.mark.parametrize("source", ["embedding", "unembedding"])
def test_ov_logits_are_what_a_head_adds_when_it_sees_only_that_number(
    exact_model, number_tokens, source
):
    """By the model's own attention on a sequence of one token, less its output without the head."""
    model, layer = exact_model, 1
    ids = torch.from_numpy(number_tokens.number_ids)[[4, 50]]
    found = ov_logits(model, layer, ids, source=source)
    weights = model.hf.get_output_embeddings().weight
    vectors = (
        model.embedding.weight[ids] if source == "embedding" else weights[ids] - weights.mean(0)
    )
    z = [_own_z(model, layer, x) - _own_z(model, layer, None) for x in vectors]
    w_o = naive.projections(model)[layer][0].weight
    w_o = w_o if model.name == "gpt2" else w_o.T
    for head in range(model.n_heads):
        mine = slice(head * model.d_head, (head + 1) * model.d_head)
        for index in range(2):
            written = z[index][mine] @ w_o[mine]
            logits = weights @ _scaled(model, model.final_norm, written)
            torch.testing.assert_close(found[head, index], (logits - logits.mean())[ids])


def _own_z(model, layer, vector):
    """z of the layer's own attention on one residual; None: a norm that returns no direction."""
    block = model.layers[layer]
    norm = block.get_submodule(model.arch.attention_norm)
    resid = model.embedding.weight[:1] * 0 if vector is None else vector[None]
    bias = getattr(norm, "bias", None)
    normed = (
        torch.zeros_like(resid) if vector is None else norm(resid) - (0 if bias is None else bias)
    )
    seen = []
    handles = [
        norm.register_forward_hook(lambda *_: normed[None]),
        naive.projections(model)[layer][0].register_forward_pre_hook(
            lambda _, args: seen.append(args[0])
        ),
    ]
    try:
        with torch.no_grad():
            model.hf(torch.tensor([[5]]))
    finally:
        for handle in handles:
            handle.remove()
    return seen[0][0, 0]


def test_no_numbers_and_no_neurons_to_read(llama_model):
    none = torch.empty(0, dtype=torch.int64)
    assert ov_logits(llama_model, 0, none).shape == (4, 0, 0)
    assert key_logits(llama_model, 0, none, torch.tensor([9]))["up"].shape == (0, 1)
