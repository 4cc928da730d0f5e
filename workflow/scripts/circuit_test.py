"""Adapter of rule circuit_test."""

from pipeline_lib import store
from pipeline_lib.artifacts.means import read_means
from pipeline_lib.circuits.faithfulness import draw_prompts
from pipeline_lib.circuits.random_sets import measure_sets
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    settings, operator = snakemake.params.settings, snakemake.wildcards.operator
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    names = store.read_table(snakemake.input.circuit, ["head"])["head"]
    prompts = draw_prompts(
        store.read_table(snakemake.input.evaluation),
        operator,
        n_prompts=settings["prompts"],
        seeds=[settings["seed"]],
        zero_answers=snakemake.params.zero_answers,
    )
    table = measure_sets(
        model,
        *context.asked(prompts),
        [Head.from_name(str(name)) for name in names],
        read_means(snakemake.input.means),
        n_sets=settings["sets"],
        rng=generator(settings["seed"], "circuit_test", operator),
    )
    store.write_table(snakemake.output.tests, table)
