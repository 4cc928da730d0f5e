"""Adapter of rule knock_out_prompts."""

from pipeline_lib import store
from pipeline_lib.heuristics.types import membership
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.knockouts.by_prompt import knock_out_prompts
from pipeline_lib.logs import job
from pipeline_lib.models.manifest import open_model
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import some_prompts
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]):
    settings = snakemake.params.settings
    rng = generator(settings["seed"], "knock_out_prompts", snakemake.wildcards.operator)
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    matches = store.read_table(snakemake.input.matches)
    matches = matches[matches["kind"] == snakemake.params.kind]
    prompts = some_prompts(store.read_table(snakemake.input.prompts), settings["prompts"], rng)
    table = knock_out_prompts(
        matches,
        membership(matches, prompts),
        store.read_table(snakemake.input.neurons),
        prompts,
        ablated_correctness(
            model, context.encode, context.answer_ids, positions=settings["positions"]
        ),
        limits=range(0, settings["max_per_layer"] + 1, settings["step"]),
        rank=settings["rank"],
        rng=rng,
    )
    store.write_table(snakemake.output.knockouts, table)
