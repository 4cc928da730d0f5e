"""Adapter of rule neuron_maps."""

from pipeline_lib import store
from pipeline_lib.artifacts.map_writing import write_maps
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    prompts = store.read_table(snakemake.input.prompts)
    write_maps(
        snakemake.output.maps,
        model,
        context.encode(prompts),
        prompts,
        store.read_table(snakemake.input.neurons),
        context.answer_ids,
        dtype=snakemake.params.dtype,
        provenance=store.provenance(snakemake.wildcards, snakemake.params),
    )
