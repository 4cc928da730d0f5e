import torch

from pipeline_lib.interventions import value_logits
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
