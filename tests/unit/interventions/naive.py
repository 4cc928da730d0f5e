"""Plain hooks on Hugging Face models, written apart from the library, to check it against."""

import torch

# path of each layer's attention and MLP output projection
PATHS = {
    "llama": ("model.layers.{}.self_attn.o_proj", "model.layers.{}.mlp.down_proj"),
    "qwen3": ("model.layers.{}.self_attn.o_proj", "model.layers.{}.mlp.down_proj"),
    "attn_only": ("model.layers.{}.self_attn.o_proj", "model.layers.{}.mlp.down_proj"),
    "gpt_neox": ("gpt_neox.layers.{}.attention.dense", "gpt_neox.layers.{}.mlp.dense_4h_to_h"),
    "gptj": ("transformer.h.{}.attn.out_proj", "transformer.h.{}.mlp.fc_out"),
    "gpt2": ("transformer.h.{}.attn.c_proj", "transformer.h.{}.mlp.c_proj"),
}


def rounding(model, tolerance):
    """A tolerance in float64; transformers computes GPT-J's attention scores in float32 anyway."""
    return max(tolerance, 1e-6) if model.name == "gptj" else tolerance


def projections(model):
    attention, mlp = PATHS[model.name.removesuffix("_sequential")]
    modules = dict(model.hf.named_modules())
    return [(modules[attention.format(i)], modules[mlp.format(i)]) for i in range(model.n_layers)]


def run(model, tokens, edits=()):
    """Logits at the last position, with (module, edit of its input) pairs applied."""
    handles = [
        module.register_forward_pre_hook(lambda _, args, edit=edit: (edit(args[0]),))
        for module, edit in edits
    ]
    try:
        with torch.no_grad():
            return model.hf(tokens).logits[:, -1]
    finally:
        for handle in handles:
            handle.remove()


def inputs(model, tokens):
    """Inputs of the attention and MLP output projections of every layer."""
    seen = {}

    def keep(key):
        def edit(x):
            seen[key] = x.clone()
            return x

        return edit

    edits = [
        (module, keep((layer, which)))
        for layer, pair in enumerate(projections(model))
        for which, module in enumerate(pair)
    ]
    run(model, tokens, edits)
    return seen


def patch(model, tokens, other_tokens, layer, position, component):
    """Logits with one head's or the MLP's activation taken from the other prompts."""
    source = inputs(model, other_tokens)
    which = int(component == model.n_heads)
    width = model.d_head
    part = slice(None) if which else slice(component * width, (component + 1) * width)

    def edit(x):
        x = x.clone()
        x[:, position, part] = source[layer, which][:, position, part]
        return x

    return run(model, tokens, [(projections(model)[layer][which], edit)])
