"""Adapter of rule label_prompts."""

from pipeline_lib import store
from pipeline_lib.interventions.capture import predict_tokens
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.arithmetic import label_prompts
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    valid = context.valid(
        snakemake.wildcards.operator,
        min_operand=snakemake.params.min_operand,
        max_operand=snakemake.params.max_operand,
    )
    predicted = predict_tokens(model, context.encode(valid)).numpy()
    labelled = label_prompts(valid, context.tokens.number_of(predicted))
    store.write_table(snakemake.output.labelled, labelled)
