"""Adapter of rule number_maps."""

from pipeline_lib import store
from pipeline_lib.artifacts.numbers import write_mlp0, write_ov_maps
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    numbers = context.answer_ids[: snakemake.params.max_operand]
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    source = snakemake.params.ov_source
    write_ov_maps(snakemake.output.ov, model, numbers, source=source, provenance=provenance)
    write_mlp0(snakemake.output.mlp0, model, context.tokens.bos_id, numbers, provenance=provenance)
