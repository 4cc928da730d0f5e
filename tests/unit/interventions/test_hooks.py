import pytest
import torch

from pipeline_lib.errors import ActivationError
from pipeline_lib.interventions.hooks import Hook, check_finite, hooked, last_logits, on_site


def count_hooks(model):
    modules = model.hf.modules()
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def test_hooks_are_removed_after_an_exception(tiny_model, pairs):
    before = count_hooks(tiny_model)

    def fail(x):
        raise RuntimeError("inside the model")

    hooks = [on_site(tiny_model, site, 1, fail) for site in ("z", "mlp_post", "resid_post")]
    with pytest.raises(RuntimeError, match="inside the model"), hooked(hooks):
        last_logits(tiny_model, pairs.tokens)
    assert count_hooks(tiny_model) == before


def test_hooks_are_removed_when_registering_fails(llama_model):
    before = count_hooks(llama_model)

    class Unhookable:
        def register_forward_pre_hook(self, hook):
            raise TypeError("no hooks here")

    def hooks():
        yield on_site(llama_model, "z", 0, lambda x: None)
        broken = on_site(llama_model, "z", 0, lambda x: None)
        object.__setattr__(broken, "module", Unhookable())
        yield broken

    with pytest.raises(TypeError), hooked(hooks()):
        pass
    assert count_hooks(llama_model) == before


def test_edit_of_none_changes_nothing(tiny_model, pairs):
    with torch.no_grad():
        plain = last_logits(tiny_model, pairs.tokens)
        sites = ("z", "mlp_post", "resid_post")
        before = count_hooks(tiny_model)
        with hooked(on_site(tiny_model, site, 0, lambda x: None) for site in sites):
            assert count_hooks(tiny_model) == before + 3
            assert torch.equal(last_logits(tiny_model, pairs.tokens), plain)


def test_output_edits_keep_the_rest_of_a_tuple():
    class Layer(torch.nn.Module):
        def forward(self, x):
            return x, "attention"

    layer = Layer()
    with hooked([Hook(layer, "output", lambda x: x + 1)]):
        x, rest = layer(torch.zeros(2))
    assert x.tolist() == [1, 1]
    assert rest == "attention"


def test_check_finite_says_where_and_how_many():
    with pytest.raises(ActivationError, match="layer 3, z") as caught:
        check_finite(torch.tensor([1.0, float("nan"), float("inf")]), "m: layer 3, z")
    assert "2 of 3" in str(caught.value)
