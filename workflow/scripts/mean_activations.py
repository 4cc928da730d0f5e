"""Adapter of rule mean_activations."""

from pipeline_lib import store
from pipeline_lib.artifacts.means import write_means
from pipeline_lib.interventions.means import mean_activations
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.arithmetic import every_prompt
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    prompts = every_prompt(
        list(context.examples),
        max_operand=snakemake.params.max_operand,
        max_number=context.tokens.max_number,
    )
    write_means(
        snakemake.output.means,
        mean_activations(model, context.encode(prompts)),
        len(prompts),
        store.provenance(snakemake.wildcards, snakemake.params),
    )
