"""Adapter of rule classify_neurons."""

from pipeline_lib import store
from pipeline_lib.artifacts.scores import read_scores
from pipeline_lib.heuristics.calibration.table import classify, fdr_matches
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
    calibrated = store.read_table(snakemake.input.neurons)
    links = store.read_table(snakemake.input.links)
    limits, tested = params.heuristics, (scores.k, scores.kv, index)
    neurons = classify(calibrated, *tested, **limits, max_base_rate=params.max_base_rate)
    store.write_table(snakemake.output.neurons, neurons)
    matches = fdr_matches(neurons, links, *tested, **limits, min_share=params.min_share)
    store.write_table(snakemake.output.matches, matches)
