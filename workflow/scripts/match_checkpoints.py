"""Adapter of rule match_checkpoints."""

from itertools import product

from pipeline_lib import store
from pipeline_lib.checkpoints.matching import match_checkpoints
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    params = snakemake.params
    pairs = product(params.checkpoints, params.operators)
    table = match_checkpoints(
        dict(zip(pairs, snakemake.input.scores, strict=True)),
        HeuristicSettings.from_values(params.types),
        kind=params.kind,
        threshold=params.threshold,
        max_base_rate=params.max_base_rate,
        max_operand=params.max_operand,
        max_number=store.read_json(snakemake.input.context)["max_number"],
    )
    store.write_table(snakemake.output.matches, table)
