"""Adapter of rule classify_neurons."""

from pipeline_lib import store
from pipeline_lib.artifacts.scores import read_scores
from pipeline_lib.heuristics.calibration.table import fdr_matches
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    operator, params = snakemake.wildcards.operator, snakemake.params
    scores = read_scores(snakemake.input.scores, operator)
    index = HeuristicIndex.build(
        operator,
        HeuristicSettings.from_values(params.types),
        scores.prompts,
        max_operand=params.max_operand,
        max_number=store.read_json(snakemake.input.context)["max_number"],
    )
    neurons = store.read_table(snakemake.input.neurons)
    links = store.read_table(snakemake.input.links)
    matches = fdr_matches(neurons, links, scores.k, scores.kv, index, **params.heuristics)
    store.write_table(snakemake.output.matches, matches)
