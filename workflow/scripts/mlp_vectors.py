"""Adapter of rule mlp_vectors."""

from pipeline_lib import store
from pipeline_lib.artifacts.numbers import write_keys, write_outputs
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
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    for neurons, keys in zip(snakemake.input.neurons, snakemake.output.key_vectors, strict=True):
        table = store.read_table(neurons)
        write_keys(keys, model, table, context.answer_ids, provenance=provenance)
    prompts = {}
    for operator, path in zip(operators, snakemake.input.evaluation, strict=True):
        rng = generator(settings["seed"], "mlp_vectors", operator)
        prompts[operator] = some_prompts(store.read_table(path), settings["prompts"], rng)
    write_outputs(
        snakemake.output.outputs,
        model,
        context.encode,
        prompts,
        layer=model.n_layers - 1,
        provenance=provenance,
    )
