"""Adapter of the pages to browse of the studies beside arithmetic: params.page names the module."""

from importlib import import_module

from pipeline_lib.browse.page import write_page
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    module = import_module(f"pipeline_lib.browse.{snakemake.params.page}")
    write_page(
        module.make(dict(snakemake.input.items())),
        dict(snakemake.output.items()),
        model=snakemake.wildcards.model,
        code=snakemake.params.code,
    )
