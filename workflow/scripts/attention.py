"""Adapter of rule attention."""

from pipeline_lib import store
from pipeline_lib.artifacts.attention import write_patterns, write_pictures
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import some_prompts
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    settings, operators = snakemake.params.settings, snakemake.params.operators
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    prompts = {}
    for operator, path in zip(operators, snakemake.input.evaluation, strict=True):
        rng = generator(settings["seed"], "attention", operator)
        prompts[operator] = some_prompts(store.read_table(path), settings["prompts"], rng)
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    write_patterns(snakemake.output.patterns, model, context.encode, prompts, provenance=provenance)
    write_pictures(
        snakemake.output.pictures,
        model,
        context.encode,
        operators,
        size=min(settings["operands"], context.tokens.max_number + 1),
        provenance=provenance,
    )
