"""Adapter of rule failure_modes."""

from pipeline_lib import store
from pipeline_lib.artifacts.maps import KIND, neuron_index, read_activations_of
from pipeline_lib.heuristics.types import membership
from pipeline_lib.logs import job
from pipeline_lib.measures.failures import associated_neurons, draw_cases, tabulate_failures
from pipeline_lib.rng import generator

with job(snakemake.log[0]):
    operator, settings = snakemake.wildcards.operator, snakemake.params.settings
    matches = store.read_table(snakemake.input.matches)
    matches = matches[matches["kind"] == snakemake.params.kind]
    rng = generator(settings["seed"], "failure_modes", operator)
    cases = draw_cases(store.read_table(snakemake.input.prompts), settings["prompts"], rng)
    with store.open_artifact(snakemake.input.maps, KIND) as maps:
        neurons = neuron_index(maps)
        activations = read_activations_of(maps, cases)
        value_logits = maps.read("value_logits")
    associated = associated_neurons(matches, membership(matches, cases), neurons)
    table = tabulate_failures(cases, associated, activations, value_logits)
    store.write_table(snakemake.output.failures, table)
