"""Adapter of rule score_checkpoint."""

from pathlib import Path

import numpy as np

from pipeline_lib import store
from pipeline_lib.artifacts.means import write_means
from pipeline_lib.artifacts.scores import write_scores
from pipeline_lib.checkpoints.scoring import sampled_means, score_checkpoint, top_neurons_of
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.probing.readable import resolve_first_layer
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    files, output, params = snakemake.input, snakemake.output, snakemake.params
    probes = [store.read_table(path) for path in files.probes]
    chosen = resolve_first_layer(params.neurons, probes)
    model = open_model(files.manifest, **params.model)
    context = PromptContext.read(files.context, model.tokenizer)
    provenance = store.provenance(snakemake.wildcards, params)
    pairs = np.array_split(files.pairs, len(params.operators))
    for place, operator in enumerate(params.operators):
        tables = [store.read_table(path) for path in pairs[place]]
        neurons = top_neurons_of(model, context, tables, chosen, operator, **params.attribution)
        prompts = store.read_table(files.labelled[place])
        labelled, scores, index, links = score_checkpoint(
            model, context, prompts, neurons, HeuristicSettings.from_values(params.types),
            operator=operator, max_operand=params.max_operand, dtype=params.dtype,
            **params.heuristics, scratch=Path(output.means).parent,
        )  # fmt: skip
        store.write_table(output.neurons[place], neurons)
        store.write_table(output.labelled[place], labelled)
        store.write_table(output.links[place], links)
        write_scores(output.scores[place], scores, index, {**provenance, "operator": operator})
    rng, n_prompts = generator(params.seed, "score_checkpoint"), params.mean_prompts
    limits = {"max_operand": params.max_operand, "n_prompts": n_prompts}
    write_means(output.means, *sampled_means(model, context, rng=rng, **limits), provenance)
