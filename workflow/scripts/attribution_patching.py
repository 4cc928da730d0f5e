"""Adapter of rule attribution_patching."""

import pandas as pd

from pipeline_lib import store
from pipeline_lib.artifacts.activations import join, read_activations
from pipeline_lib.artifacts.answers import answer_tokens
from pipeline_lib.artifacts.attribution import write_attribution
from pipeline_lib.interventions.attribute import iter_attribution
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.arithmetic import POSITIONS
from pipeline_lib.stimuli.context import PromptContext

SITES = ("z", "mlp_post")

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    pairs = pd.concat([store.read_table(path) for path in snakemake.input.pairs], ignore_index=True)
    clean = read_activations(snakemake.input.clean, SITES)
    batches = iter_attribution(
        model,
        context.encode(pairs),
        *answer_tokens(context.answer_ids, pairs),
        join([clean] * len(snakemake.input.pairs)),
        join([read_activations(path, SITES) for path in snakemake.input.counterfactual]),
        method=snakemake.params.method,
        steps=snakemake.params.steps,
        check=False,
    )
    write_attribution(
        snakemake.output.attribution,
        model,
        batches,
        len(pairs),
        POSITIONS,
        snakemake.params.seeds,
        store.provenance(snakemake.wildcards, snakemake.params),
    )
