"""Adapter of rule indirect_effects."""

from pipeline_lib import store
from pipeline_lib.artifacts.activations import read_activations
from pipeline_lib.artifacts.answers import answer_tokens
from pipeline_lib.artifacts.effects import columns_of, write_effects
from pipeline_lib.interventions.patch import patch_components
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    pairs = store.read_table(snakemake.input.pairs)
    answers = patch_components(
        model,
        context.encode(pairs),
        read_activations(snakemake.input.counterfactual, ["z", "mlp_post"]),
        *answer_tokens(context.answer_ids, pairs),
        positions=columns_of(snakemake.params.positions),
    )
    write_effects(
        snakemake.output.effects,
        model,
        answers,
        snakemake.params.positions,
        store.provenance(snakemake.wildcards, snakemake.params),
    )
