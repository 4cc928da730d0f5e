"""Adapter of the figure rules of all studies beside arithmetic."""

from importlib import import_module

from pipeline_lib.figures.style import save_figure
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    module = import_module(f"pipeline_lib.figures.{snakemake.params.figure}")
    settings = snakemake.params.settings
    drawn = module.make(dict(snakemake.input.items()), settings)
    save_figure(drawn, dict(snakemake.output.items()), settings["dpi"])
