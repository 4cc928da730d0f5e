"""Costs of the rivals of a small model, by hand."""

from pipeline_lib.plan import flops
from tests.unit.plan.conftest import by_rule

STUDY = """
arithmetic:
  operators: [sub]
  seeds: [1]
  prompts: {max_operand: 20, discovery: 10}
  attribution: {seeds: [1]}
  neurons: {per_layer: 7, first_heuristics_layer: 4}
  rivals: {prompts: 100, n_modes: 2, prompts_per_number: 3, pairs: 5}
"""


def test_numbers_are_run_and_pairs_are_patched(plan):
    planned = plan(STUDY)
    stage, shape = by_rule(planned)["number_codes"], planned.shape
    # 20 first operands once; 20 second operands and 20 answers, each in 20, 19, ..., 1 prompts
    numbers = 20 + 2 * (18 * 3 + 2 + 1)
    # both sides at two positions, and a clean run for each of nine subspaces
    pairs = 5 * (2 * 2 + 2 * 9)
    last = flops.unembedding_flops(shape)
    first = [flops.suffix_flops(shape, 5, layer, 1, "mlp") for layer in range(-1, 5)] + [last]
    equals = [flops.suffix_flops(shape, 5, layer, 4, "mlp") for layer in range(6)]
    forward = flops.forward_flops(shape, 5)
    assert stage.flops == (numbers + pairs) * forward + 5 * 9 * (sum(first) + sum(equals))
    assert stage.jobs == 1


def test_maps_are_explained_without_a_model(plan):
    one, more = (by_rule(plan(STUDY, extra))["explain_maps"] for extra in ("{}", MORE))
    assert one.flops == 0
    assert one.gpus == 0
    assert more.jobs == 2 * one.jobs == 2
    assert more.disk_bytes > 2 * one.disk_bytes
    assert more.memory_bytes > one.memory_bytes


MORE = "arithmetic: {operators: [add, sub]}"
