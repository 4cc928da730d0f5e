"""Costs of calibrated matching of a small model, by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.artifacts import calibration, nulls
from pipeline_lib.heuristics.calibration import surrogates
from pipeline_lib.heuristics.calibration.evidence import Evidence
from pipeline_lib.heuristics.calibration.families import low_effect_neurons
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.plan import calibration_stages as stages
from pipeline_lib.plan import flops
from pipeline_lib.plan.assumptions import (
    CHAIN_SECONDS,
    FLOAT_BYTES,
    NULL_ROW_BYTES,
    START_SECONDS,
    SURROGATE_SECONDS,
)
from pipeline_lib.stimuli.arithmetic import valid_prompts
from tests.unit.plan.conftest import by_rule

STUDY = """
arithmetic:
  operators: [sub]
  seeds: [1]
  prompts: {max_operand: 20, discovery: 10}
  attribution: {seeds: [1]}
  neurons: {per_layer: 7, first_heuristics_layer: 4}
  heuristics: {calibration: {surrogates: 20, per_layer: 30, scored: 4}}
"""
VALID = 20 * 21 // 2  # operands 0 to 19, a >= b
EVERY_NEURON = "arithmetic: {neurons: {per_layer: 500}}"
MORE_SURROGATES = "arithmetic: {heuristics: {calibration: {surrogates: 40}}}"


def test_prompts_run_in_the_model_and_in_its_twin(plan):
    planned = plan(STUDY)
    stage, shape = by_rule(planned)["null_evidence"], planned.shape
    # 30 neurons without effect, 30 directions and 30 untrained neurons in each of two layers
    readouts = 2 * 90 * 2 * 512
    directions = 2 * 2 * 512 * 128 * 30
    logits = 2 * 90 * 2 * 128 * 1000
    expected = VALID * (2 * flops.forward_flops(shape, 5) + readouts) + directions + logits
    assert stage.flops == expected
    assert stage.jobs == 1
    assert stage.disk_bytes == 2 * 90 * NULL_ROW_BYTES + 2 * 3 * 4 * FLOAT_BYTES


@pytest.mark.parametrize("chosen", [1, 7, 500, 512])
def test_null_maps_are_those_of_the_run(plan, chosen):
    """512 neurons of a layer; of those that are not looked at, half have no effect."""
    work = plan(STUDY, f"arithmetic: {{neurons: {{per_layer: {chosen}}}}}").work
    neurons = pd.DataFrame({"layer": 4, "neuron": range(chosen)})
    silent = low_effect_neurons(np.zeros((6, 512)), neurons, 30)
    assert stages.null_maps(work) == (len(silent) + 30, 30)


def test_nulls_hold_the_weights_twice(plan):
    planned = plan(STUDY)
    null, labels = (by_rule(planned)[rule] for rule in ("null_evidence", "label_prompts"))
    held = null.memory_bytes - labels.memory_bytes - planned.work.weight_bytes
    maps = 2 * 60 * VALID * 4
    assert maps < held < maps + 20 * 2**20


def test_calibration_grows_with_its_surrogates(plan):
    few, more = (
        by_rule(plan(STUDY, extra))["calibrate_heuristics"] for extra in ("{}", MORE_SURROGATES)
    )
    # 14 neurons; a map has the prompts and the places of its plane
    places = VALID + 20 * 20
    assert more.seconds - few.seconds == pytest.approx(14 * 20 * places * SURROGATE_SECONDS)
    rest = (14 * 21 + stages.DESIGN_DRAWS) * SURROGATE_SECONDS + 14 * CHAIN_SECONDS
    assert few.seconds == pytest.approx(START_SECONDS + places * rest)
    assert more.memory_bytes > few.memory_bytes
    assert (few.flops, few.jobs, few.gpus) == (0, 1, 0)
    assert more.disk_bytes == few.disk_bytes


def test_verdicts_of_every_neuron_are_written(plan):
    few, many = (by_rule(plan(STUDY, extra)) for extra in ("{}", EVERY_NEURON))
    for rule in ("calibrate_heuristics", "classify_neurons"):
        assert few[rule].jobs == many[rule].jobs == 1
        grown = many[rule].disk_bytes / few[rule].disk_bytes
        assert 40 < grown <= 500 / 7 + 0.1  # headers do not grow


def test_checkpoints_have_links_and_verdicts_without_surrogates(plan):
    steps = "models: {some: {checkpoints: [v1, v2]}}"
    half = "arithmetic: {neurons: {per_layer: 14}}"
    planned = plan(STUDY, steps)
    found, twice = by_rule(planned), by_rule(plan(STUDY, steps, half))
    assert "classify_checkpoints" not in by_rule(plan(STUDY))
    assert found["classify_checkpoints"].jobs == 1
    header = stages.CHECKPOINT_HEADER
    rows = [stage["classify_checkpoints"].disk_bytes - header for stage in (found, twice)]
    assert rows[1] == pytest.approx(2 * rows[0], abs=2)
    surrogates_cost = by_rule(plan(STUDY, steps, MORE_SURROGATES))["score_checkpoint"]
    assert surrogates_cost == found["score_checkpoint"]
    links = stages.checkpoint_links_bytes(planned.work)
    assert links == pytest.approx(14 * 2.0 * 86)


def test_both_rules_cost_twice_the_time_and_no_more_memory(plan):
    work = plan(STUDY).work
    once, both = (
        of(work)
        for of in (stages.classify_neurons, stages.under_both_rules(stages.classify_neurons))
    )
    assert both.jobs == 2 * once.jobs
    assert both.seconds == 2 * once.seconds
    assert both.disk_bytes == 2 * once.disk_bytes
    assert both.memory_bytes == once.memory_bytes


def test_an_operator_without_valid_prompts_has_no_nulls(plan):
    limits = "arithmetic: {operators: [mul], prompts: {min_operand: 100, max_operand: 110}}"
    found = by_rule(plan(STUDY, limits))
    assert found["null_evidence"].flops == found["null_evidence"].disk_bytes == 0
    assert found["calibrate_heuristics"].seconds == START_SECONDS


def test_blocks_and_draws_are_those_of_the_run():
    assert (stages.BLOCK, stages.NEURON_BLOCK) == (nulls.BLOCK, calibration.BLOCK)
    assert surrogates.DESIGN_DRAWS * len(surrogates.scales()) == stages.DESIGN_DRAWS
    prompts = valid_prompts("add", min_operand=0, max_operand=60, max_number=200)
    index = HeuristicIndex.build(
        "add", HeuristicSettings(), prompts, max_operand=60, max_number=200
    )
    drawn = surrogates.Surrogates.of(Evidence.build(index), np.random.default_rng(0))
    assert np.prod(drawn.side) == pytest.approx(stages.TORUS * 60**2, rel=0.1)
