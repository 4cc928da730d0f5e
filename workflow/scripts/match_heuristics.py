"""Adapter of rule match_heuristics."""

from pipeline_lib import store
from pipeline_lib.artifacts.scores import read_scores
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.table import match_table
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    operator = snakemake.wildcards.operator
    scores = read_scores(snakemake.input.scores, operator)
    index = HeuristicIndex.build(
        operator,
        HeuristicSettings.from_values(snakemake.params.types),
        scores.prompts,
        max_operand=snakemake.params.max_operand,
        max_number=store.read_json(snakemake.input.context)["max_number"],
    )
    table = match_table(
        scores.k,
        scores.kv,
        index,
        scores.neurons,
        threshold=snakemake.params.threshold,
        max_base_rate=snakemake.params.max_base_rate,
    )
    store.write_table(snakemake.output.matches, table)
    store.write_table(snakemake.output.heuristics, index.table(snakemake.params.max_base_rate))
