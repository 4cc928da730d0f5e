"""FLOPs by hand for a toy, and against those torch counts while the library runs."""

from dataclasses import replace

import pytest
import torch

from pipeline_lib.interventions import attribute, capture, patch_components, predict_ablated
from pipeline_lib.interventions.capture import predict_tokens
from pipeline_lib.interventions.values import value_logits
from pipeline_lib.models import ModelShape
from pipeline_lib.plan import flops
from tests.flops import counted

# d_model 4, two heads of 3 with one key-value head, 10 neurons, 7 words
TOY = ModelShape("llama", 1, 2, 1, 3, 4, 10, 7, 32, True, False, False)
LLAMA3_8B = ModelShape("llama", 32, 32, 8, 128, 4096, 14336, 128256, 8192, True, False, False)
SMOLLM2_135M = ModelShape("llama", 30, 9, 3, 64, 576, 1536, 49152, 8192, True, False, True)
POSITIONS = [1, 2, 3, 4]


def test_a_forward_pass_by_hand():
    query, output, key_value = 2 * 4 * 6, 2 * 6 * 4, 2 * 4 * 3 * 2
    mlp, scores, logits = 3 * 2 * 4 * 10, 2 * 2 * 2 * 3, 2 * 4 * 7
    expected = 5 * (query + output + key_value + mlp + 5 * scores) + logits
    assert flops.forward_flops(TOY, 5) == expected == 5 * (48 + 48 + 48 + 240 + 120) + 56
    assert flops.forward_flops(replace(TOY, gated_mlp=False), 5) == expected - 5 * 80
    assert flops.forward_flops(TOY, 5, n_logits=5) == expected + 4 * 56


def test_patches_of_one_layer_by_hand():
    # only "=" matters; a head's patch needs the MLP (240) and logits (56), the MLP's logits alone
    assert flops.suffix_flops(TOY, 5, 0, 3, "head") == 0
    assert flops.suffix_flops(TOY, 5, 0, 4, "head") == 240 + 56
    assert flops.suffix_flops(TOY, 5, 0, 4, "mlp") == 56
    assert flops.n_patches(TOY, 5, POSITIONS) == 3
    clean = flops.forward_flops(TOY, 5)
    assert flops.patching_flops(TOY, 5, POSITIONS) == clean + 2 * 296 + 56
    assert flops.patching_flops(TOY, 5, POSITIONS, "full") == 4 * clean


def test_patches_of_three_layers_by_hand():
    toy = replace(TOY, n_layers=3)
    # layer 0 at operand 2 of 5 tokens: two positions in layer 1; keys and values of two positions
    # and the rest of the last layer once; logits; a head needs layer 0's MLP first
    middle, last = 2 * (48 + 48 + 48 + 240 + 120), 2 * 48 + 48 + 48 + 240 + 120
    assert flops.suffix_flops(toy, 5, 0, 3, "mlp") == middle + last + 56
    assert flops.suffix_flops(toy, 5, 0, 3, "head") == middle + last + 56 + 240
    assert flops.suffix_flops(toy, 5, 1, 3, "mlp") == last + 56
    parallel = replace(toy, parallel_residual=True)
    assert flops.suffix_flops(parallel, 5, 0, 3, "head") == middle + last + 56
    assert flops.n_patches(toy, 5, POSITIONS) == 3 * (2 * 4 + 1)


def test_no_suffix_costs_more_than_a_forward_pass():
    for shape in (TOY, LLAMA3_8B, SMOLLM2_135M):
        whole = flops.forward_flops(shape, 5)
        assert flops.suffix_flops(shape, 5, 0, 0, "head") <= whole + flops.mlp_flops(shape)


@pytest.mark.parametrize(("shape", "ratio"), [(LLAMA3_8B, 4.24), (SMOLLM2_135M, 4.37)])
def test_the_saving_over_a_loop_that_unembeds_every_position(shape, ratio):
    # independent estimate, which runs the last layer's output projection at all later positions
    assert flops.suffix_ratio(shape, 5, POSITIONS, n_logits=5) == pytest.approx(ratio, rel=0.005)
    assert flops.suffix_ratio(shape, 5, POSITIONS) < ratio


def test_integrated_gradients_are_one_pass_per_site_layer_position_and_step():
    toy = replace(TOY, n_layers=2)
    forward, logits = flops.forward_flops(toy, 5), 56
    above = 5 * (48 + 48 + 48 + 240 + 5 * 24 * 5 // 2)  # layer 1 backwards
    from_z, from_mlp = 5 * (48 + 240), 5 * 80
    backward = [above + from_z, above + from_mlp, from_z, from_mlp]
    expected = 3 * 5 * sum(forward + part + logits for part in backward)
    assert flops.attribution_flops(toy, 5, "integrated", 3) == expected


# What torch counts ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prompts(tiny_model):
    """Six prompts and six others with another first operand: no common prefix but BOS."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.randint(1, 50, (6, 5), generator=generator)
    other = clean + 50
    clean[:, 0] = other[:, 0] = 0
    return clean, other


def test_forward_passes_as_torch_counts_them(tiny_model, prompts):
    expected = 6 * flops.forward_flops(tiny_model.shape, 5)
    assert counted(predict_tokens, tiny_model, prompts[0]) == expected
    assert counted(capture, tiny_model, prompts[0]) == expected


@pytest.mark.parametrize("first_layer", [0, 2])
def test_ablation_as_torch_counts_it(tiny_model, prompts, first_layer):
    masks = torch.zeros(1, tiny_model.n_layers, tiny_model.d_mlp, dtype=torch.bool)
    masks[:, first_layer:] = True
    rows = {"sets": torch.zeros(6, dtype=torch.int64)}
    found = counted(predict_ablated, tiny_model, prompts[0], masks, **rows)
    shape = tiny_model.shape
    clean, silenced = flops.forward_flops(shape, 5), flops.ablation_flops(shape, 5, first_layer)
    # one projection that gives queries, keys and values gives them at all positions
    spare = 4 * flops.query_flops(shape) if tiny_model.arch.fused else 0
    assert found == 6 * (clean + silenced + spare)


def test_patches_as_torch_counts_them(tiny_model, prompts):
    clean, other = prompts
    counterfactual = capture(tiny_model, other, ("z", "mlp_post"))
    found = counted(
        patch_components,
        tiny_model,
        clean,
        counterfactual,
        clean[:, 1],
        other[:, 1],
        positions=POSITIONS,
    )
    expected = 6 * flops.patching_flops(tiny_model.shape, 5, POSITIONS)
    # the plan leaves out how a patch is written, and spare queries of fused projections
    assert found == pytest.approx(expected, rel=0.15)
    assert found > expected


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_attribution_as_torch_counts_it(tiny_model, prompts, method):
    clean, other = prompts
    runs = [capture(tiny_model, tokens, ("z", "mlp_post")) for tokens in prompts]
    found = counted(
        attribute, tiny_model, clean, clean[:, 1], other[:, 1], *runs, method=method, steps=3
    )
    expected = 6 * flops.attribution_flops(tiny_model.shape, 5, method, 3)
    # only GPT-J's own attention code, which keeps its scores, needs a product less backwards
    assert found == pytest.approx(expected, rel=0.01 if tiny_model.name == "gptj" else 0)


def test_value_logits_as_torch_counts_them(llama_model):
    neurons, numbers = torch.arange(10), torch.arange(40)
    found = counted(value_logits, llama_model, 1, neurons, numbers)
    assert found == flops.value_logit_flops(llama_model.shape, 10, 40)
