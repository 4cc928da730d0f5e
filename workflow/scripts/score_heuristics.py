"""Adapter of rule score_heuristics."""

from pipeline_lib import store
from pipeline_lib.artifacts.scores import score_map_artifact, write_scores
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job
from pipeline_lib.pieces import resumable

with job(snakemake.log[0]), resumable(snakemake):
    scores, index = score_map_artifact(
        snakemake.input.maps,
        snakemake.wildcards.operator,
        HeuristicSettings.from_values(snakemake.params.types),
        max_operand=snakemake.params.max_operand,
        max_number=store.read_json(snakemake.input.context)["max_number"],
    )
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    write_scores(snakemake.output.scores, scores, index, provenance)
