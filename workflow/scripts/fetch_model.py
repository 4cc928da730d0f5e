"""Adapter of rule fetch_model."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.download import fetch_model
from pipeline_lib.models.files import weight_files
from pipeline_lib.models.manifest import check_same_weights

with job(snakemake.log[0]):
    source = snakemake.params.source
    folder = fetch_model(source, Path(snakemake.output.record).parent)
    check_same_weights(folder, source)
    files = {path.name: path.stat().st_size for path in weight_files(folder)}
    store.write_json(snakemake.output.record, {**source, "files": files})
