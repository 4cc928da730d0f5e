"""Costs of the stages of a small model, by hand."""

import numpy as np
import pytest

from pipeline_lib.artifacts.maps import CHUNK
from pipeline_lib.browse import effects
from pipeline_lib.browse.page import MAX_BYTES
from pipeline_lib.circuits import random_sets
from pipeline_lib.figures.catalog import (
    CHECKPOINT_FIGURES,
    PAGES,
    STUDY_FIGURES,
    depends_on_rule,
    figures_of,
)
from pipeline_lib.interventions import neurons
from pipeline_lib.interventions.batching import CPU_BUDGET, MAX_ROWS, default_batch_size
from pipeline_lib.knockouts import ablation, setting
from pipeline_lib.neurons.exact import STRATA
from pipeline_lib.plan import (
    Expected,
    assumptions,
    circuit_stages,
    exact_stages,
    flops,
    make_plan,
)
from pipeline_lib.plan.browse_stages import PAGE_LIMIT, RESAMPLES
from pipeline_lib.plan.checkpoint_stages import n_nodes as sampled_nodes
from pipeline_lib.plan.circuit_stages import n_nodes
from pipeline_lib.plan.model_stages import MAP_CHUNK, N_DONORS, NORM_PROMPTS
from pipeline_lib.plan.stages import CPU_ROWS, GPU_ROWS, Work
from tests.project import ROOT
from tests.unit.plan.conftest import by_rule

STUDY = """
arithmetic:
  operators: [sub]
  seeds: [1, 2, 3]
  prompts: {max_operand: 20, discovery: 10}
  attribution: {seeds: [1, 2]}
  probe: {prompts: 50, epochs: 2}
  neurons: {per_layer: 7, first_heuristics_layer: 4}
  knockouts:
    by_heuristic: {prompts: 5, min_neurons: 2, draws: 4}
    by_prompt: {prompts: 6, max_per_layer: 4, step: 2}
  faithfulness: {prompts: 6, seeds: [1, 2], max_heads: 3, sizes: 2}
"""
VALID = 20 * 21 // 2  # operands 0 to 19, a >= b


def test_jobs_are_one_per_operator_and_seed(plan):
    jobs = {rule: stage.jobs for rule, stage in by_rule(plan(STUDY)).items()}
    assert jobs["fetch_model"] == jobs["describe_model"] == jobs["prompt_context"] == 1
    assert jobs["label_prompts"] == jobs["cache_clean"] == jobs["attribution_patching"] == 1
    per_seed = ("draw_counterfactuals", "cache_counterfactual", "indirect_effects")
    assert [jobs[rule] for rule in per_seed] == [3, 3, 3]
    figures = [*figures_of("some", ["some"], ["sub"]), *STUDY_FIGURES]
    assert jobs["figures"] == len(figures) + sum(map(depends_on_rule, figures))


def test_checkpoints_have_stages_of_their_own(plan):
    steps = "models: {some: {checkpoints: [v1, v2, v3]}}"
    without, planned = plan(STUDY), plan(STUDY, steps)
    stages, shape = by_rule(planned), planned.shape
    jobs = {rule: stage.jobs for rule, stage in stages.items()}
    own = {"score_checkpoint", "match_checkpoints", "classify_checkpoints", "ablate_checkpoint"}
    assert own & set(by_rule(without)) == set()
    assert [jobs[rule] for rule in ("fetch_model", "describe_model", "score_checkpoint")] == [
        4,
        4,
        3,
    ]
    rules = ("match_checkpoints", "classify_checkpoints", "ablate_checkpoint")
    assert [jobs[rule] for rule in rules] == [1, 1, 2 * 4]
    # all of them exist under both rules of matching
    assert jobs["figures"] == by_rule(without)["figures"].jobs + 2 * len(CHECKPOINT_FIGURES)
    once = flops.forward_flops(shape, 5)
    # 2 x 10 pairs: both sides run, then once more with gradients; 400 prompts in the means
    pairs = 2 * 10 * (2 * once + flops.attribution_flops(shape, 5, "gradient", 16))
    costs = [6 * flops.layer_flops(shape, 1, n_keys) for n_keys in range(1, 6)]
    means = sum(n * c for n, c in zip([1, 20, 20, 400, 400], costs, strict=True))
    maps = VALID * once + 2 * 128 * 14 * 1000
    assert stages["score_checkpoint"].flops == 3 * (pairs + maps + means)
    # 50 prompts of four: intact twice, 4 circuits, 3 limits with their control at four in five
    silenced = round(0.8 * 3 * 2 * flops.ablation_flops(shape, 5, 4))
    each = 2 * once + 4 * flops.ablation_flops(shape, 5, 0) + silenced
    assert stages["ablate_checkpoint"].flops == 2 * 4 * 50 * each


def test_a_checkpoint_that_is_a_model_of_the_study_is_fetched_once(config, tmp_path):
    steps = "models: {tiny-arith: {checkpoints: [step0, step65]}}"
    both = "arithmetic: {models: [tiny-arith, tiny-arith@step65]}"
    plans = make_plan(config(steps, both), ROOT)
    assert [by_rule(plan)["describe_model"].jobs for plan in plans] == [2, 1]
    assert "score_checkpoint" not in by_rule(plans[1])


def test_few_sampled_prompts_share_few_prefixes(plan):
    few = plan(STUDY, "arithmetic: {checkpoints: {mean_prompts: 40}}").work
    rng = np.random.default_rng(0)
    a = np.arange(400) // 20
    counts = []
    for _ in range(300):
        drawn = rng.permutation(400)[:40]
        counts.append([1, len(set(a[drawn])), len(set(a[drawn])), 40, 40])
    assert sampled_nodes(few) == pytest.approx(np.mean(counts, axis=0), rel=0.02)


def test_flops_are_prompts_times_passes(plan):
    planned = plan(STUDY)
    found = {rule: stage.flops for rule, stage in by_rule(planned).items()}
    shape = planned.shape
    once = flops.forward_flops(shape, 5)
    assert found["label_prompts"] == VALID * once
    assert found["cache_clean"] == 10 * once
    assert found["cache_counterfactual"] == 3 * 10 * once
    assert found["indirect_effects"] == 3 * 10 * flops.patching_flops(shape, 5, [1, 2, 3, 4])
    gradients = flops.attribution_flops(shape, 5, "gradient", 16)
    assert found["attribution_patching"] == 2 * 10 * gradients
    n_probed = min(VALID, 50)
    assert found["cache_residuals"] == n_probed * once
    # 3 variants at 6 layers x 4 positions, 2 epochs; a fifth is tested
    n_test = n_probed // 5
    products = 2 * 2 * (n_probed - n_test) + n_test
    assert found["probe_answers"] == 3 * 6 * 4 * products * 2 * 128 * 1000
    # layers 4 and 5, seven neurons each, numbers 0 to 999 through d_model 128
    assert found["neuron_maps"] == VALID * once + 2 * 128 * 14 * 1000
    # evaluation prompts are resampled (32) and give norms (all), before anything is silenced
    setting = (32 + VALID - 10) * once
    # silenced from layer 4 on, four in five of 6 x 2 x 3 x 3; the limit 0 silences nothing
    silenced = flops.ablation_flops(shape, 5, 4)
    # everything twice: under both rules of matching
    assert found["knock_out_prompts"] == 2 * (setting + 3 * 6 * once + 86 * silenced)
    # 0.4 x 14 neurons / 2 = 3 heuristics: 5 prompts of each and 5 others, by 3 ablations intact
    # and without its own neurons or each of 4 random sets
    runs = 3 * (once + 5 * silenced)
    assert found["knock_out_heuristics"] == 2 * (setting + 3 * 2 * 5 * runs)


def test_knockouts_by_zero_alone_resample_nothing(plan):
    zero = "arithmetic: {knockouts: {ablations: [zero], by_heuristic: {draws: 9}}}"
    planned = plan(STUDY, zero)
    stages, once = by_rule(planned), flops.forward_flops(planned.shape, 5)
    silenced = flops.ablation_flops(planned.shape, 5, 4)
    found = stages["knock_out_heuristics"].flops
    assert found == 2 * ((VALID - 10) * once + 3 * 2 * 5 * (once + 10 * silenced))
    assert by_rule(plan(STUDY))["knock_out_prompts"].memory_bytes > (
        stages["knock_out_prompts"].memory_bytes + 31 * 5 * 6 * 512 * 4
    )


def test_flops_of_circuits(plan):
    planned = plan(STUDY)
    found = {rule: stage.flops for rule, stage in by_rule(planned).items()}
    shape = planned.shape
    # BOS, 20 operands, the same with the operator, and 400 pairs at two positions
    nodes = [1, 20, 20, 400, 400]
    costs = [6 * flops.layer_flops(shape, 1, n_keys) for n_keys in range(1, 6)]
    assert found["mean_activations"] == sum(n * c for n, c in zip(nodes, costs, strict=True))
    # 6 prompts of two seeds: nothing, 0 to 3 heads, k = 0, 1 (512: the circuit), k = 0, 1, 512
    once, ablated = flops.forward_flops(shape, 5), flops.ablation_flops(shape, 5, 0)
    assert found["faithfulness"] == 12 * once + 12 * (1 + 4 + 2 + 3) * ablated
    auto = plan(STUDY, "arithmetic: {circuit: {n_heads: {sub: auto}}}")
    more = by_rule(auto)["faithfulness"].flops - found["faithfulness"]
    assert more == 10 * 4 * ablated  # the discovery prompts, 0 to 3 heads


def test_pages_grow_with_what_they_show(plan):
    planned = plan(STUDY)
    pages = {rule: stage for rule, stage in by_rule(planned).items() if rule.startswith("browse_")}
    assert [rule.removeprefix("browse_") for rule in pages] == [*PAGES, "snapshots"]
    assert {stage.jobs for stage in pages.values()} == {1}
    page, byte = assumptions.PAGE_BYTES, 4 / 3
    preview = assumptions.PREVIEW_CELL_BYTES
    # 14 neurons, a K and a KV map each; a preview of 20 x 20 operands
    maps = 2 * 14 * VALID * assumptions.MAP_DEFLATED * byte
    assert pages["browse_neurons"].disk_bytes == pytest.approx(page + maps + 400 * preview, abs=1)
    # 6 layers x 8 heads: 20 x 20 numbers; 5 sources x 150 x 150 operands
    for rule, sources, side in (("browse_ov", 1, 20), ("browse_attention", 5, 150)):
        pictures = 6 * 8 * sources * side**2 * assumptions.HEAD_DEFLATED * byte
        expected = page + pictures + side**2 * preview
        assert pages[rule].disk_bytes == pytest.approx(expected, abs=1)
    # one operator and all together, 4 positions, 8 heads and an MLP in 6 layers
    cells = 2 * 4 * 6 * 9 * assumptions.EFFECT_CELL_BYTES
    assert pages["browse_effects"].disk_bytes == page + cells
    assert MAX_BYTES == PAGE_LIMIT
    assert RESAMPLES == effects.RESAMPLES


def test_solved_examples_stand_in_front_of_every_prompt(plan):
    few = plan(STUDY, "arithmetic: {operators: [add, sub], prompts: {few_shot: 2}}")
    assert n_nodes(few.work) == [1, *[2] * 12, 40, 40, 800, 800]


def test_the_engine_only_changes_the_effects(plan):
    suffix, full = (by_rule(plan(STUDY, engine=engine)) for engine in ("suffix", "full"))
    assert [rule for rule in full if full[rule] != suffix[rule]] == ["indirect_effects"]
    assert full["indirect_effects"].flops > 3 * suffix["indirect_effects"].flops


def test_what_is_expected_of_the_data_can_be_said(plan):
    few, many = (
        by_rule(plan(STUDY, expected=Expected(share, rows)))
        for share, rows in ((0.15, 10.0), (1.5, 20.0))
    )
    # beside the prompts that are resampled and give norms, which are as many, under both rules
    setting = 2 * (32 + VALID - 10) * flops.forward_flops(plan(STUDY).shape, 5)
    costs = [stages["knock_out_heuristics"].flops - setting for stages in (few, many)]
    assert costs[1] / costs[0] == pytest.approx(10)
    assert many["match_heuristics"].disk_bytes == 2 * few["match_heuristics"].disk_bytes


def test_solved_examples_make_prompts_longer(plan):
    short, long = (plan(STUDY, f"arithmetic: {{prompts: {{few_shot: {n}}}}}") for n in (0, 2))
    assert (short.work.n_tokens, long.work.n_tokens) == (5, 17)
    assert long.work.sizes[0].n_valid == VALID - 2
    expected = (VALID - 2) * flops.forward_flops(long.shape, 17)
    assert by_rule(long)["label_prompts"].flops == expected
    # the prompt's own tokens stay the last four: patches reach as far as before
    assert by_rule(long)["indirect_effects"].flops > by_rule(short)["indirect_effects"].flops


def test_half_precision_halves_the_activations(plan):
    whole, half = (
        by_rule(plan(STUDY, f"arithmetic: {{activations: {{dtype: {name}}}}}"))
        for name in ("float32", "float16")
    )
    logits = 3 * 10 * 4 * 2000
    saved = whole["cache_counterfactual"].disk_bytes - half["cache_counterfactual"].disk_bytes
    kept = whole["cache_counterfactual"].disk_bytes - logits
    assert saved == pytest.approx(kept / 2, rel=0.2)


def test_memory_holds_the_weights_in_their_dtype(plan):
    on_cpu = plan(STUDY, "models: {some: {dtype: float32}}")
    in_half = plan(STUDY, "models: {some: {dtype: bfloat16}}")
    weights = on_cpu.shape.n_parameters
    difference = (
        by_rule(on_cpu)["label_prompts"].memory_bytes
        - by_rule(in_half)["label_prompts"].memory_bytes
    )
    assert difference >= 2 * weights
    assert by_rule(in_half)["fetch_model"].disk_bytes == 2 * weights


def test_hours_are_flops_over_throughput_and_starting(plan):
    stage = by_rule(plan(STUDY))["label_prompts"]
    start = assumptions.START_SECONDS + 2 * plan(STUDY).shape.n_parameters / 1e9
    assert stage.hours(1e-6) * 3600 == pytest.approx(stage.flops / 1e6 + start)


def test_batches_and_chunks_are_those_of_the_run(plan, llama_model):
    assert CHUNK == MAP_CHUNK
    assert (ablation.N_DONORS, setting.NORM_PROMPTS) == (N_DONORS, NORM_PROMPTS)
    assert CPU_BUDGET == assumptions.BATCH_BYTES
    assert MAX_ROWS == {"cpu": CPU_ROWS, "cuda": GPU_ROWS}
    some = plan(STUDY).work
    work = Work(**{**vars(some), "shape": llama_model.shape})
    for layers in (1, 1000):
        expected = default_batch_size(llama_model, 5, layers_kept=layers)
        assert work.batch_rows(10**9, layers) == expected
    assert work.batch_rows(3) == 3


def test_an_operator_without_valid_prompts_costs_little(config):
    limits = "arithmetic: {operators: [mul], prompts: {min_operand: 100, max_operand: 110}}"
    planned = make_plan(config(limits), ROOT)[0]
    assert planned.work.sizes[0].n_valid == 0
    # vectors of neurons and heads, and runs of operands whether valid or not, need no valid prompt
    others = ("neuron_maps", "verify_engine", "mean_activations", "score_checkpoint")
    others += ("attention", "number_maps", "mlp_vectors")
    free = [stage for stage in planned.stages if stage.rule not in others]
    assert sum(stage.flops for stage in free) == 0


def test_a_disabled_study_plans_nothing(config):
    assert make_plan(config("arithmetic: {enabled: false}"), ROOT) == []


def test_exact_neurons_cost_their_layers_above(plan):
    """Two seeds of ten pairs; of a layer three strata of two neurons, or all of them."""
    few = "arithmetic: {exact: {neurons: 2, prompts: 7}}"
    sampled = plan(STUDY, few)
    every = plan(STUDY, "arithmetic: {exact: {neurons: all, prompts: 7}}")
    ranked = plan(STUDY, few, "arithmetic: {neurons: {ranking: exact}}")
    shape, found = sampled.shape, [by_rule(p)["exact_neurons"].flops for p in (sampled, every)]
    n_tokens = sampled.work.n_tokens
    above = sum(
        flops.suffix_flops(shape, n_tokens, layer, n_tokens - 1, "mlp")
        for layer in range(shape.n_layers)
    )
    assert found[1] - found[0] == 2 * 7 * (shape.d_mlp - 6) * above
    # a ranking by exact effects patches every neuron
    assert by_rule(ranked)["exact_neurons"].flops == found[1]
    assert exact_stages.LISTED == neurons.PATCHES_AT_ONCE
    assert set(exact_stages.STRATUM_NAMES) == set(STRATA)


def test_a_last_layers_patch_costs_its_logits_alone(plan):
    shape = plan(STUDY).shape
    last = flops.suffix_flops(shape, 5, shape.n_layers - 1, 4, "mlp")
    assert last == flops.unembedding_flops(shape)


def test_circuit_tests_grow_with_their_sets(plan):
    few, many = (
        by_rule(plan(STUDY, f"arithmetic: {{circuit_test: {{sets: {n}, prompts: 5}}}}"))[
            "circuit_test"
        ]
        for n in (20, 60)
    )
    shape = plan(STUDY).shape
    assert many.flops - few.flops == 5 * 2 * 40 * flops.ablation_flops(shape, 5, 0)
    assert few.jobs == 1
    assert circuit_stages.SETS_AT_ONCE == random_sets.SETS_AT_ONCE
