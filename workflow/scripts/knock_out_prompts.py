"""Adapter of rule knock_out_prompts."""

from pipeline_lib import store
from pipeline_lib.heuristics.types import membership
from pipeline_lib.knockouts.by_prompt import knock_out_prompts
from pipeline_lib.knockouts.setting import Setting
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import some_prompts
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    settings, operator = snakemake.params.settings, snakemake.wildcards.operator
    seed, name = settings["seed"], "knock_out_prompts"
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    matches = store.read_table(snakemake.input.matches)
    matches = matches[matches["kind"] == snakemake.params.kind]
    given = Setting.read(
        *(model, context),
        evaluation=snakemake.input.prompts,
        means=snakemake.input.means,
        maps=snakemake.input.maps,
        kinds=snakemake.params.ablations,
        positions=settings["positions"],
        rng=generator(seed, name, "setting", operator),
    )
    rng = generator(seed, name, operator)
    prompts = some_prompts(given.evaluation, settings["prompts"], rng)
    table = knock_out_prompts(
        *(matches, membership(matches, prompts), store.read_table(snakemake.input.neurons)),
        *(prompts, given.answers),
        limits=range(0, settings["max_per_layer"] + 1, settings["step"]),
        rank=settings["rank"],
        rng=rng,
        pool=given.pool,
        control_rng=generator(seed, name, "matched", operator),
    )
    store.write_table(snakemake.output.knockouts, table)
