"""Adapter of rule draw_counterfactuals."""

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import draw_counterfactuals, join_pools, pair_table

with job(snakemake.log[0]):
    seed, operator = int(snakemake.wildcards.seed), snakemake.wildcards.operator
    clean = store.read_table(snakemake.input.clean)
    pool = join_pools([store.read_table(path) for path in snakemake.input.pool])
    drawn = draw_counterfactuals(
        clean,
        pool,
        snakemake.params.counterfactual,
        generator(seed, "counterfactuals", operator),
    )
    store.write_table(snakemake.output.pairs, pair_table(clean, drawn))
