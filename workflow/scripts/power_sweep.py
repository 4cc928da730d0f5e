"""Adapter of rule power_sweep."""

from pipeline_lib import store
from pipeline_lib.artifacts.power import write_power_sweep
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.power.stage import run_sweep

with job(snakemake.log[0]), resumable(snakemake):
    params, output = snakemake.params, snakemake.output
    done = run_sweep(
        open_model(snakemake.input.manifest, **params.model),
        store.read_table(snakemake.input.pairs),
        store.read_table(snakemake.input.tokens),
        part=snakemake.wildcards.part,
        **params.asked,
        noise=store.read_json(snakemake.input.summary)["noise_floor"],
        n_pairs=params.n_pairs,
        shown=params.shown_pair,
        seed=params.seed,
    )
    about = store.provenance(snakemake.wildcards, params)
    write_power_sweep(output.sweep, done.sweep, about)
    store.write_table(output.regions, done.regions)
    store.write_json(output.cost, done.cost)
