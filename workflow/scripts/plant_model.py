"""Adapter of rule plant_model."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.files import weight_files
from pipeline_lib.models.planted.folder import write_planted_model
from pipeline_lib.models.planted.settings import PlantedSettings
from pipeline_lib.store.digests import sha256_of

with job(snakemake.log[0]):
    source = snakemake.params.source
    values = {name: value for name, value in source.items() if name != "source"}
    folder = Path(snakemake.output.record).parent
    network = write_planted_model(PlantedSettings(**values), folder)
    files = {path.name: sha256_of(path) for path in weight_files(folder)}
    record = {**source, "mean_overlap": network.overlap, "files": files}
    store.write_json(snakemake.output.record, record)
