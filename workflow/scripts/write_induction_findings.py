"""Adapter of rule write_induction_findings."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.findings.induction import read_tables, write_findings
from pipeline_lib.logs import job
from pipeline_lib.store.disk import atomic_path

with job(snakemake.log[0]):
    page = write_findings(
        snakemake.wildcards.model,
        read_tables(dict(snakemake.input.items())),
        store.read_json(snakemake.input.cost),
        snakemake.params.settings,
    )
    with atomic_path(snakemake.output.page) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
