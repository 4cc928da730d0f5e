import pytest
import torch

from pipeline_lib.interventions import Receiver, Sender, capture, patch_logits, path_patch
from pipeline_lib.interventions.patches import Patches
from tests.unit.interventions import naive

RECEIVERS = [
    Receiver("head", 2, 1, "q"),
    Receiver("head", 2, 1, "k"),
    Receiver("head", 1, 2, "v"),
    Receiver("head", 2, 3, "all"),
    Receiver("mlp", 2),
    Receiver("logits"),
]


def layer_modules(model, layer):
    """A layer's attention norm, attention and MLP norm."""
    block = model.hf.get_submodule(model.arch.layers)[layer]
    names = {
        "llama": ("input_layernorm", "self_attn", "post_attention_layernorm"),
        "qwen3": ("input_layernorm", "self_attn", "post_attention_layernorm"),
        "attn_only": ("input_layernorm", "self_attn", "post_attention_layernorm"),
        "gpt_neox": ("input_layernorm", "attention", "post_attention_layernorm"),
        "gptj": ("ln_1", "attn", "ln_1"),
        "gpt2": ("ln_1", "attn", "ln_2"),
    }[model.name.removesuffix("_sequential")]
    return [getattr(block, name) for name in names]


def sent_vector(model, tokens, other, sender):
    """What the sender writes in the counterfactual run minus the clean run."""
    ends = [naive.inputs(model, t)[sender.layer, 0][:, sender.position] for t in (tokens, other)]
    width = slice(sender.head * model.d_head, (sender.head + 1) * model.d_head)
    weight = naive.projections(model)[sender.layer][0].weight
    weight = weight if model.name == "gpt2" else weight.T
    return (ends[1] - ends[0])[:, width] @ weight[width]


def naive_path_patch(model, tokens, other, sender, receiver):
    """Frozen run by hooks: the receiver alone reads the changed residual."""
    sent = sent_vector(model, tokens, other, sender)
    if receiver.kind == "logits":
        return at_final_norm(model, tokens, sent, sender.position)
    clean = naive.inputs(model, tokens)
    changed = changed_inputs(model, tokens, sent, sender.position, receiver)
    which = int(receiver.kind == "mlp")
    part = slice(receiver.head * model.d_head, (receiver.head + 1) * model.d_head)
    part = slice(None) if which else part

    def edit(x):
        x = clean[receiver.layer, which].clone()
        x[..., part] = changed[..., part]
        return x

    module = naive.projections(model)[receiver.layer][which]
    return naive.run(model, tokens, [(module, edit)])


def changed_inputs(model, tokens, sent, position, receiver):
    """The receiver layer's z or post when ``sent`` enters what it reads."""
    norm_1, attention, norm_2 = layer_modules(model, receiver.layer)
    norm = norm_2 if receiver.kind == "mlp" else norm_1
    seen, handles = {}, []
    module = naive.projections(model)[receiver.layer][int(receiver.kind == "mlp")]
    project = projections_of(attention) if receiver.kind == "head" else []

    def enter(module, args):
        x = args[0].clone()
        x[:, position] += sent
        seen["normed"] = norm.forward(args[0])
        return (x,)

    def only(name, fused):
        def restore(module, args, output):
            if receiver.through in (name, "all"):
                return None
            plain = module.forward(seen["normed"])
            return plain if fused is None else fused(output, plain, receiver.through)

        return restore

    handles.append(norm.register_forward_pre_hook(enter))
    for name, projection in project:
        fused = fuse(model) if name == "qkv" else None
        handles.append(projection.register_forward_hook(only(name, fused)))
    handles.append(module.register_forward_pre_hook(lambda _, args: seen.update(x=args[0].clone())))
    try:
        naive.run(model, tokens)
    finally:
        for handle in handles:
            handle.remove()
    return seen["x"]


def projections_of(attention):
    for name in ("query_key_value", "c_attn"):
        if hasattr(attention, name):
            return [("qkv", getattr(attention, name))]
    return [(n, getattr(attention, f"{n}_proj")) for n in "qkv"]


def fuse(model):
    """Take the changed columns of one of q, k, v from ``changed``, the rest from ``plain``."""
    shape = (3, -1) if model.name == "gpt2" else (model.n_heads, 3, model.d_head)

    def choose(changed, plain, through):
        kind = "qkv".index(through)
        mixed = plain.unflatten(-1, shape).clone()
        mixed[..., kind, :] = changed.unflatten(-1, shape)[..., kind, :]
        return mixed.flatten(2, -1)

    return choose


def at_final_norm(model, tokens, sent, position):
    def enter(module, args):
        x = args[0].clone()
        x[:, position] += sent
        return (x,)

    handle = model.final_norm.register_forward_pre_hook(enter)
    try:
        return naive.run(model, tokens)
    finally:
        handle.remove()


@pytest.mark.parametrize("receiver", RECEIVERS, ids=str)
@pytest.mark.parametrize("position", [1, 4])
def test_direct_path_by_hand(tiny_model, pairs, receiver, position):
    sender = Sender(layer=0, head=1, position=position)
    counterfactual = capture(tiny_model, pairs.other, ("z",))
    found = path_patch(tiny_model, pairs.tokens, counterfactual, sender, receiver)
    expected = naive_path_patch(tiny_model, pairs.tokens, pairs.other, sender, receiver)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_paths_change_the_logits(llama_model, pairs):
    sender = Sender(layer=0, head=1, position=4)
    counterfactual = capture(llama_model, pairs.other, ("z",))
    clean = naive.run(llama_model, pairs.tokens)
    for receiver in RECEIVERS:
        found = path_patch(llama_model, pairs.tokens, counterfactual, sender, receiver)
        # the last position is read by its own queries, but by keys and values too
        assert (found - clean).abs().max() > 1e-4


def test_same_prompts_change_nothing(tiny_model, pairs):
    counterfactual = capture(tiny_model, pairs.tokens, ("z",))
    clean = naive.run(tiny_model, pairs.tokens)
    sender = Sender(layer=0, head=0, position=3)
    for receiver in RECEIVERS:
        found = path_patch(tiny_model, pairs.tokens, counterfactual, sender, receiver)
        torch.testing.assert_close(found, clean, atol=1e-5, rtol=1e-5)


def test_last_layer_sender_to_logits_is_the_whole_patch_without_its_mlp(tiny_model, pairs):
    """In parallel-residual models nothing else reads a last-layer head; in others its MLP does."""
    counterfactual = capture(tiny_model, pairs.other, ("z", "mlp_post"))
    sender = Sender(layer=2, head=1, position=4)
    found = path_patch(tiny_model, pairs.tokens, counterfactual, sender, Receiver("logits"))
    prompt = torch.arange(7)
    patches = Patches(prompt, *(torch.full_like(prompt, n) for n in (4, 2, 1)))
    whole = patch_logits(tiny_model, pairs.tokens, counterfactual, patches)
    same = torch.allclose(found, whole, atol=1e-5, rtol=1e-5)
    assert same == tiny_model.shape.parallel_residual


def test_receiver_below_the_sender_is_refused(tiny_model, pairs):
    counterfactual = capture(tiny_model, pairs.other, ("z",))
    sender = Sender(layer=1, head=0, position=4)
    refused = [Receiver("head", 1, 0), Receiver("mlp", 0), Receiver("head", 3, 0)]
    refused += [Receiver("mlp", 1)] if tiny_model.shape.parallel_residual else []
    for receiver in refused:
        with pytest.raises(ValueError, match="reads nothing"):
            path_patch(tiny_model, pairs.tokens, counterfactual, sender, receiver)
