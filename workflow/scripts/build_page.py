"""Adapter of the rules of pages to browse: params.page names the module that makes the page."""

from importlib import import_module

from pipeline_lib.browse.page import write_page
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    module = import_module(f"pipeline_lib.browse.{snakemake.params.page}")
    page = module.make(
        dict(snakemake.input.items()), snakemake.params.operators, snakemake.params.settings
    )
    write_page(
        page,
        dict(snakemake.output.items()),
        model=snakemake.wildcards.model,
        code=snakemake.params.code,
    )
