"""Adapter of rule describe_model."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.manifest import describe_model

with job(snakemake.log[0]):
    source = snakemake.params.source
    folder = Path(source.get("path", Path(snakemake.output.manifest).parent))
    manifest = describe_model(folder, snakemake.wildcards.model, source)
    store.write_json(snakemake.output.manifest, manifest)
