"""Adapter of rule null_evidence."""

from pipeline_lib import store
from pipeline_lib.artifacts.neuron_effects import ATTRIBUTION
from pipeline_lib.artifacts.nulls import null_tables
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.neurons.importance import importance
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    files, params, operator = snakemake.input, snakemake.params, snakemake.wildcards.operator
    model = open_model(files.manifest, **params.model)
    context = PromptContext.read(files.context, model.tokenizer)
    prompts = store.read_table(files.prompts)
    index = HeuristicIndex.build(
        operator,
        HeuristicSettings.from_values(params.types),
        prompts,
        max_operand=params.max_operand,
        max_number=context.tokens.max_number,
    )
    with store.open_artifact(files.attribution, ATTRIBUTION) as artifact:
        effects = importance(artifact.read("neurons_last"), "mean").values
    table = null_tables(
        model,
        context.encode(prompts),
        store.read_table(files.neurons),
        effects,
        index,
        context.answer_ids,
        **params.heuristics,
        **params.nulls,
        rng=generator(params.seed, "null_evidence", operator),
    )
    store.write_table(snakemake.output.nulls, table)
