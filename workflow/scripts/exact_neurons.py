"""Adapter of rule exact_neurons."""

import torch

from pipeline_lib import store
from pipeline_lib.artifacts.activations import read_activations
from pipeline_lib.artifacts.answers import answer_tokens
from pipeline_lib.artifacts.exact import write_exact
from pipeline_lib.artifacts.neuron_effects import ATTRIBUTION
from pipeline_lib.logs import job, progress
from pipeline_lib.models.opening import open_model
from pipeline_lib.neurons.exact import choose_neurons, choose_prompts, join_effects, measure_neurons
from pipeline_lib.neurons.importance import importance
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    files, params, operator = snakemake.input, snakemake.params, snakemake.wildcards.operator
    model = open_model(files.manifest, **params.model)
    context = PromptContext.read(files.context, model.tokenizer)
    with store.open_artifact(files.attribution, ATTRIBUTION) as artifact:
        found = importance(artifact.read("neurons_last"), params.importance)
    settings = params.settings
    rng = generator(settings["seed"], "exact_neurons", operator)
    chosen = choose_neurons(found.values, settings["neurons"], rng)
    clean = read_activations(files.clean, ["mlp_post"])
    rows = choose_prompts(len(clean), settings["prompts"], settings["seed"], operator)
    parts = []
    for seed, path in enumerate(progress(files.counterfactual, "patching neurons")):
        table = store.read_table(files.pairs[seed]).iloc[rows]
        kept = torch.from_numpy(rows)
        ends = (acts.prompts(kept) for acts in (clean, read_activations(path, ["mlp_post"])))
        asked = context.encode(table), answer_tokens(context.answer_ids, table)
        parts.append(measure_neurons(model, *asked, *ends, chosen, steps=params.steps))
    provenance = store.provenance(snakemake.wildcards, params)
    shape = (model.n_layers, model.d_mlp)
    write_exact(
        snakemake.output.exact, chosen, join_effects(parts), params.seeds, rows, shape, provenance
    )
