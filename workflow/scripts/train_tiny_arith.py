"""Adapter of rule train_tiny_arith."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.training import TrainingSettings, train_and_save

with job(snakemake.log[0]):
    values = snakemake.params.settings
    settings = TrainingSettings(**values | {"checkpoints": tuple(values["checkpoints"])})
    accuracy = train_and_save(settings, Path(snakemake.output.final))
    store.write_table(snakemake.output.accuracy, accuracy)
