"""Adapter of rule ablate_orders."""

from pipeline_lib import store
from pipeline_lib.induction.ablation import joint_ablation, open_subjects, sweep_heads
from pipeline_lib.induction.agreement import agreement
from pipeline_lib.induction.baseline import noise_floor_in
from pipeline_lib.induction.cost import ablation_cost
from pipeline_lib.induction.expected import check_published
from pipeline_lib.induction.sizes import set_sizes
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.published.induction import published_numbers
from pipeline_lib.stimuli.sequences import check_symbols, pairs_of

with job(snakemake.log[0]), resumable(snakemake):
    settings = snakemake.params.settings
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    pairs = pairs_of(settings["symbols"], settings["other_symbols"])
    check_symbols(model.tokenizer, pairs)
    subjects = open_subjects(model, pairs, prepend_bos=settings["prepend_bos"])
    floor = noise_floor_in(store.read_table(snakemake.input.drift))
    sweep = sweep_heads(subjects, floor, settings["seed"])
    sizes = set_sizes(model.n_layers * model.n_heads, settings["set_sizes"])
    joint = joint_ablation(subjects, sweep, sizes, settings["random_sets"], settings["seed"])
    scores = store.read_table(snakemake.input.scores)
    store.write_table(snakemake.output.ablation, sweep)
    store.write_table(snakemake.output.joint, joint)
    store.write_table(snakemake.output.agreement, agreement(sweep, scores, settings["seed"]))
    cost = ablation_cost(subjects, sweep, sizes, settings["random_sets"], settings["seed"])
    found = check_published(subjects[0], published_numbers(snakemake.params.repo))
    store.write_table(snakemake.output.published, found)
    store.write_json(snakemake.output.cost, cost)
