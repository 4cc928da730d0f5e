"""Adapter of rule plant_model."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.checksums import sha256
from pipeline_lib.models.files import weight_files
from pipeline_lib.models.planted.folder import write_planted_model
from pipeline_lib.models.planted.settings import PlantedSettings

with job(snakemake.log[0]):
    source = snakemake.params.source
    values = {name: value for name, value in source.items() if name != "source"}
    folder = Path(snakemake.output.record).parent
    network = write_planted_model(PlantedSettings(**values), folder)
    files = {path.name: sha256(path) for path in weight_files(folder)}
    record = {**source, "mean_overlap": network.overlap, "files": files}
    store.write_json(snakemake.output.record, record)
