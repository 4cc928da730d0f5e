"""Adapter of rule describe_model."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.manifest import describe_model

with job(snakemake.log[0]):
    folder = Path(snakemake.params.source["path"] or Path(snakemake.output.manifest).parent)
    manifest = describe_model(folder, snakemake.wildcards.model, snakemake.params.source)
    store.write_json(snakemake.output.manifest, manifest)
