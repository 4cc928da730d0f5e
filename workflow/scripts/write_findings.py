"""Adapter of the rule findings: the tables of a run, the names of its figures, the page."""

from pathlib import Path

from pipeline_lib.findings.page import write_findings
from pipeline_lib.findings.tables import read_tables
from pipeline_lib.logs import job
from pipeline_lib.store.disk import atomic_path

with job(snakemake.log[0]):
    page = write_findings(
        snakemake.wildcards.model,
        read_tables(dict(snakemake.input.items())),
        snakemake.params.operators,
        snakemake.params.pictures,
        snakemake.params.settings,
    )
    with atomic_path(snakemake.output.page) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
