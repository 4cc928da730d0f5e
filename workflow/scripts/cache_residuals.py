"""Adapter of rule cache_residuals."""

from pipeline_lib import store
from pipeline_lib.artifacts.residuals import write_residuals
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.probing.tasks import sample_correct
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import POSITIONS
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    params = snakemake.params
    rng = generator(params.seed, "cache_residuals", snakemake.wildcards.operator)
    prompts = sample_correct(store.read_table(snakemake.input.prompts), params.prompts, rng)
    model = open_model(snakemake.input.manifest, **params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    write_residuals(
        snakemake.output.residuals,
        model,
        context.encode(prompts),
        prompts,
        positions=POSITIONS,
        dtype=params.dtype,
        provenance=store.provenance(snakemake.wildcards, params),
    )
