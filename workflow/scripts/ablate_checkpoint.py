"""Adapter of rule ablate_checkpoint."""

from pipeline_lib import store
from pipeline_lib.artifacts.means import read_means
from pipeline_lib.checkpoints.subject import Subject, join_tables, knock_out, measure_shared
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.neurons.importance import first_layer
from pipeline_lib.pieces import resumable
from pipeline_lib.probing.readable import resolve_first_layer
from pipeline_lib.stimuli.context import PromptContext

OWN_FILES = ("final", "neurons", "circuits", "evaluation", "labelled")

with job(snakemake.log[0]), resumable(snakemake):
    files, params = snakemake.input, snakemake.params
    settings, chosen = params.settings, (params.settings["prompts"], params.settings["seed"])
    model = open_model(files.manifest, **params.model)
    context = PromptContext.read(files.context, model.tokenizer)
    means = read_means(files.means)
    neurons = resolve_first_layer(params.neurons, [store.read_table(path) for path in files.probes])
    late = first_layer(neurons["first_heuristics_layer"], model.n_layers)
    is_correct = ablated_correctness(
        model, context.encode, context.answer_ids, positions=params.positions
    )
    faithful, knocked = [], []
    for place, operator in enumerate(params.operators):
        own = {name: getattr(files, name)[place] for name in OWN_FILES}
        subject = Subject.read(
            snakemake.wildcards.checkpoint, operator, params.kind, matches=files.matches, **own
        )
        prompts = subject.prompts(*chosen, zero_answers=params.zero_answers)
        options = {"first_late_layer": late, "seed": settings["seed"]}
        faithful.append(measure_shared(subject, model, context, means, prompts, **options))
        options = {"per_layer": settings["per_layer"], "rank": params.rank, "seed": chosen[1]}
        knocked.append(knock_out(subject, is_correct, subject.prompts(*chosen), **options))
    store.write_table(snakemake.output.faithfulness, join_tables(faithful))
    store.write_table(snakemake.output.knockouts, join_tables(knocked))
