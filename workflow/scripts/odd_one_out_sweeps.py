"""Adapter of rule odd_one_out_sweeps."""

from pipeline_lib import store
from pipeline_lib.artifacts.odd_one_out import write_sweep_logits
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.odd_one_out.study import SweepSettings, run_sweeps
from pipeline_lib.pieces import resumable

with job(snakemake.log[0]), resumable(snakemake):
    params = snakemake.params
    model = open_model(snakemake.input.manifest, **params.model)
    found = run_sweeps(
        model,
        store.read_table(snakemake.input.pairs),
        store.read_json(snakemake.input.choice),
        SweepSettings(**params.sweep, seed=params.seed),
    )
    for name in ("necessity", "sufficiency", "generality", "costs"):
        store.write_table(snakemake.output[name], getattr(found, name))
    store.write_json(snakemake.output.critical, found.critical.plain())
    made = store.provenance(snakemake.wildcards, {**params.sweep, "code": params.code})
    write_sweep_logits(snakemake.output.logits, found.logits, made)
