"""Adapter of rule knock_out_heuristics."""

from pipeline_lib import store
from pipeline_lib.knockouts.by_heuristic import knock_out_heuristics, neurons_by_heuristic
from pipeline_lib.knockouts.setting import Setting
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    settings, operator = snakemake.params.settings, snakemake.wildcards.operator
    seed, name = settings["seed"], "knock_out_heuristics"
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    matches = store.read_table(snakemake.input.matches)
    given = Setting.read(
        *(model, context),
        evaluation=snakemake.input.prompts,
        means=snakemake.input.means,
        maps=snakemake.input.maps,
        kinds=snakemake.params.ablations,
        positions=settings["positions"],
        rng=generator(seed, name, "setting", operator),
    )
    table = knock_out_heuristics(
        neurons_by_heuristic(matches[matches["kind"] == snakemake.params.kind]),
        *(given.evaluation, given.answers, given.pool),
        min_neurons=settings["min_neurons"],
        n_prompts=settings["prompts"],
        n_draws=settings["draws"],
        rng=generator(seed, name, operator),
        control_rng=generator(seed, name, "matched", operator),
    )
    store.write_table(snakemake.output.knockouts, table)
