"""Adapter of rule browse_snapshots."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.browse.snapshots import take_snapshots, write_overview
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    previews = {Path(path).stem: store.read_json(path) for path in snakemake.input.previews}
    pictures = take_snapshots(previews, Path(snakemake.output.snapshots))
    model = snakemake.wildcards.model
    write_overview(snakemake.output.index, list(previews), pictures, model=model)
