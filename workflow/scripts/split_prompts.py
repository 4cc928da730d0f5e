"""Adapter of rule split_prompts."""

import logging

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import split_correct

with job(snakemake.log[0]):
    rng = generator(snakemake.params.discovery_seed, "split", snakemake.wildcards.operator)
    labelled = store.read_table(snakemake.input.labelled)
    discovery, evaluation = split_correct(labelled, snakemake.params.discovery, rng)
    if not len(discovery):
        logging.warning(
            "%s has no correct prompt of %s: the operator is left out of all means",
            snakemake.wildcards.model,
            snakemake.wildcards.operator,
        )
    store.write_table(snakemake.output.discovery, discovery)
    store.write_table(snakemake.output.evaluation, evaluation)
