"""Adapter of rule calibrate_heuristics."""

from pipeline_lib import store
from pipeline_lib.artifacts.calibration import calibrate_maps
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator

with job(snakemake.log[0]), resumable(snakemake):
    params, operator = snakemake.params, snakemake.wildcards.operator
    neurons, links = calibrate_maps(
        snakemake.input.maps,
        operator,
        store.read_table(snakemake.input.nulls),
        HeuristicSettings.from_values(params.types),
        max_operand=params.max_operand,
        max_number=store.read_json(snakemake.input.context)["max_number"],
        **params.heuristics,
        **params.calibration,
        rng=generator(params.seed, "calibrate_heuristics", operator),
    )
    store.write_table(snakemake.output.neurons, neurons)
    store.write_table(snakemake.output.links, links)
