"""Adapter of the rules cache_clean and cache_counterfactual."""

from pipeline_lib import store
from pipeline_lib.artifacts.activations import write_activations
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.arithmetic import counterfactual_prompts
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    prompts = store.read_table(snakemake.input.prompts)
    if snakemake.params.side == "counterfactual":
        prompts = counterfactual_prompts(prompts)
    write_activations(
        snakemake.output.activations,
        model,
        context.encode(prompts),
        snakemake.params.sites,
        dtype=snakemake.params.dtype,
        provenance=store.provenance(snakemake.wildcards, snakemake.params),
    )
