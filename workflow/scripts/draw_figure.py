"""Adapter of all figure and table rules: params.figure names the module that draws."""

from importlib import import_module

from pipeline_lib.figures.style import save_figure
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    module = import_module(f"pipeline_lib.figures.{snakemake.params.figure}")
    settings = snakemake.params.settings
    drawn = module.make(dict(snakemake.input.items()), snakemake.params.operators, settings)
    save_figure(drawn, dict(snakemake.output.items()), settings["dpi"])
