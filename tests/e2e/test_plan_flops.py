"""FLOPs of the plan against those that torch counts, with the inputs of the finished run."""

import pytest

from pipeline_lib.models.loading import load_model
from tests.e2e import counted_engine, counted_matching
from tests.e2e.given import Given

COUNTED = {
    "attention": counted_engine.attended,
    "number_maps": counted_engine.numbers,
    "mlp_vectors": counted_engine.vectors,
    "number_codes": counted_engine.codes,
    "score_checkpoint": counted_matching.scored,
    "ablate_checkpoint": counted_matching.ablated,
    "mean_activations": counted_engine.all_means,
    "faithfulness": counted_matching.faithful,
    "circuit_test": counted_matching.tested,
    "verify_engine": counted_engine.verified,
    "label_prompts": counted_engine.label,
    "cache_clean": counted_engine.clean,
    "cache_counterfactual": counted_engine.counterfactual,
    "indirect_effects": counted_engine.effects,
    "attribution_patching": counted_engine.attribution,
    "exact_neurons": counted_engine.exact,
    "cache_residuals": counted_engine.residuals,
    "probe_answers": counted_engine.probes,
    "neuron_maps": counted_engine.maps,
    "null_evidence": counted_matching.nulls,
    "knock_out_heuristics": counted_matching.by_heuristic,
    "knock_out_prompts": counted_matching.by_prompt,
}
"""Functions of what is given and the operator, by rule."""


@pytest.fixture(scope="module")
def given(plan, study, finished_project, tmp_path_factory):
    model = load_model(finished_project / "data" / "models" / "tiny-arith", name="tiny-arith")
    return Given(plan, study, model, finished_project, tmp_path_factory)


EXACT = {
    "verify_engine": 0.2,  # silent patches, and what both loops and the engine share
    "label_prompts": 0.01,
    "cache_clean": 0.01,
    "cache_counterfactual": 0.01,
    "indirect_effects": 0.1,  # pairs with the same first operand cost less
    "attribution_patching": 0.01,
    "exact_neurons": 0.01,
    "cache_residuals": 0.01,
    "probe_answers": 0.05,  # the split by answer value can leave out some test prompts
    "neuron_maps": 0.01,
    "null_evidence": 0.01,
    "mean_activations": 0.01,
    "attention": 0.02,
    "number_maps": 0.02,
    "mlp_vectors": 0.02,
    "number_codes": 0.03,  # products with the directions of subspaces are left out
    "score_checkpoint": 0.01,
}
# Sets that begin above the first late layer, or are empty, cost less; rare heuristics have fewer
# prompts; with a dozen neurons in a layer, as here, many do.
# Circuits that keep all of the first layers are ablated later.
# The first checkpoint answers nothing.
AT_MOST = {
    "knock_out_heuristics": 0.7,
    "knock_out_prompts": 0.6,
    "faithfulness": 0.7,
    "circuit_test": 0.3,  # few sets have the circuit's number in each layer
    "ablate_checkpoint": 0.2,
}


@pytest.mark.parametrize("rule", EXACT)
def test_flops_are_those_that_torch_counts(stages, given, rule):
    found = sum(COUNTED[rule](given, operator) for operator in given.settings.operators)
    assert stages[rule].flops == pytest.approx(found, rel=EXACT[rule])


@pytest.mark.parametrize("rule", AT_MOST)
def test_flops_are_at_most_those_of_the_plan(stages, given, rule):
    found = sum(COUNTED[rule](given, operator) for operator in given.settings.operators)
    assert AT_MOST[rule] * stages[rule].flops < found <= stages[rule].flops


def test_stages_without_a_model_count_no_flops(stages):
    assert {rule for rule, stage in stages.items() if stage.flops} == {*EXACT, *AT_MOST}
