"""Adapter of rule classify_checkpoints."""

from itertools import product

from pipeline_lib import store
from pipeline_lib.checkpoints.matching import classify_checkpoints
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    files, params = snakemake.input, snakemake.params
    pairs = list(product(params.checkpoints, params.operators))
    final = [store.read_table(path) for path in files.final]
    table = classify_checkpoints(
        dict(zip(pairs, files.scores, strict=True)),
        dict(zip(pairs, map(store.read_table, files.links), strict=True)),
        dict(zip(params.operators, final, strict=True)),
        HeuristicSettings.from_values(params.types),
        **params.heuristics,
        max_operand=params.max_operand,
        max_number=store.read_json(files.context)["max_number"],
    )
    store.write_table(snakemake.output.matches, table)
