"""Adapter of rule odd_one_out_subspace."""

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.subspace import SubspaceSettings, run_subspaces
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.odd_one_out import Formats
from pipeline_lib.stimuli.people import read_people

with job(snakemake.log[0]), resumable(snakemake):
    params = snakemake.params
    found = run_subspaces(
        open_model(snakemake.input.manifest, **params.model),
        store.read_table(snakemake.input.pairs),
        read_people(snakemake.input.get("people")),
        Formats(**params.formats),
        store.read_json(snakemake.input.choice),
        Critical.of(store.read_json(snakemake.input.critical)),
        SubspaceSettings(**params.subspace, seed=params.seed),
    )
    for name in ("probe", "patches", "neurons", "neuron_classes"):
        store.write_table(snakemake.output[name], getattr(found, name))
