"""Adapter of rule train_tiny_induction."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.training.tiny_induction import (
    InductionTraining,
    train_and_save_induction,
)

with job(snakemake.log[0]):
    settings = InductionTraining(**snakemake.params.settings)
    scores = train_and_save_induction(settings, Path(snakemake.output.folder))
    store.write_table(snakemake.output.scores, scores)
