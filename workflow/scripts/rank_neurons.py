"""Adapter of rule rank_neurons."""

import logging

from pipeline_lib import store
from pipeline_lib.artifacts.neuron_effects import read_neuron_effects
from pipeline_lib.logs import job
from pipeline_lib.neurons.importance import first_layer, importance, top_neurons
from pipeline_lib.probing.readable import resolve_first_layer

with job(snakemake.log[0]):
    probes = [store.read_table(path) for path in snakemake.input.probes]
    settings = resolve_first_layer(snakemake.params.neurons, probes)
    effects = read_neuron_effects(snakemake.input.attribution, snakemake.input.exact)
    found = importance(effects, settings["importance"])
    logging.info("NaN effects counted as 0: %d of %d", found.n_nan, effects.size)
    table = top_neurons(
        found.values,
        first_heuristics_layer=first_layer(settings["first_heuristics_layer"], effects.shape[1]),
        per_layer=settings["per_layer"] if len(effects) else 0,
    )
    store.write_table(snakemake.output.neurons, table)
