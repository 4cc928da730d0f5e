"""Adapter of rule knock_out_heuristics."""

from pipeline_lib import store
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.knockouts.by_heuristic import knock_out_heuristics, neurons_by_heuristic
from pipeline_lib.logs import job
from pipeline_lib.models.manifest import open_model
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]):
    settings = snakemake.params.settings
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    matches = store.read_table(snakemake.input.matches)
    table = knock_out_heuristics(
        neurons_by_heuristic(matches[matches["kind"] == snakemake.params.kind]),
        store.read_table(snakemake.input.prompts),
        ablated_correctness(
            model, context.encode, context.answer_ids, positions=settings["positions"]
        ),
        min_neurons=settings["min_neurons"],
        n_prompts=settings["prompts"],
        rng=generator(settings["seed"], "knock_out_heuristics", snakemake.wildcards.operator),
    )
    store.write_table(snakemake.output.knockouts, table)
