"""Adapter of rule faithfulness."""

from pipeline_lib import store
from pipeline_lib.artifacts.means import read_means
from pipeline_lib.artifacts.ranking import read_ranking
from pipeline_lib.circuits.faithfulness import draw_prompts, measure_circuits, tabulate_curves
from pipeline_lib.circuits.study import choose_heads, circuit_table, study_curves
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.neurons.importance import first_layer
from pipeline_lib.pieces import resumable
from pipeline_lib.probing.readable import resolve_first_layer
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    settings, operator = snakemake.params.settings, snakemake.wildcards.operator
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    means = read_means(snakemake.input.means)
    probes = [store.read_table(path) for path in snakemake.input.probes]
    neurons = resolve_first_layer(snakemake.params.neurons, probes)
    effects = snakemake.input.effects, snakemake.input.attribution
    ranking = read_ranking(*effects, neurons["importance"], snakemake.input.exact)
    asked = context.asked(store.read_table(snakemake.input.discovery))
    circuit = {**snakemake.params.circuit, "max_heads": settings["max_heads"]}
    heads, source = choose_heads(model, *asked, ranking.heads, means, **circuit)
    curves = study_curves(
        model,
        ranking,
        heads,
        max_heads=settings["max_heads"],
        n_points=settings["sizes"],
        first_late_layer=first_layer(neurons["first_heuristics_layer"], model.n_layers),
        late_share=settings["late_share"],
    )
    choice = {key: settings[key] for key in ("seeds", "zero_answers")}
    evaluation = store.read_table(snakemake.input.evaluation)
    prompts = draw_prompts(evaluation, operator, n_prompts=settings["prompts"], **choice)
    measures = measure_circuits(model, *context.asked(prompts), curves, means)
    store.write_table(snakemake.output.faithfulness, tabulate_curves(prompts, curves, measures))
    store.write_table(snakemake.output.circuit, circuit_table(heads, source))
