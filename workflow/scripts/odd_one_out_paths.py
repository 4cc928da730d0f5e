"""Adapter of rule odd_one_out_paths."""

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.paths import PathSettings, run_paths
from pipeline_lib.pieces import resumable

with job(snakemake.log[0]), resumable(snakemake):
    params = snakemake.params
    found = run_paths(
        open_model(snakemake.input.manifest, **params.model),
        store.read_table(snakemake.input.pairs),
        store.read_json(snakemake.input.choice),
        Critical.of(store.read_json(snakemake.input.critical)),
        PathSettings(**params.paths, seed=params.seed),
    )
    for name in ("hydra", "paths", "retrieval", "ablation", "costs"):
        store.write_table(snakemake.output[name], getattr(found, name))
