"""Adapter of rule write_power_findings."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.findings.power import PARTS, write_power_findings
from pipeline_lib.logs import job
from pipeline_lib.store.disk import atomic_path

with job(snakemake.log[0]):
    page = write_power_findings(
        snakemake.wildcards.model,
        store.read_table(snakemake.input.baselines, ["measure", "value", "low", "high", "n"]),
        store.read_json(snakemake.input.summary),
        dict(zip(PARTS, map(store.read_table, snakemake.input.regions), strict=True)),
        dict(zip(PARTS, map(store.read_json, snakemake.input.costs), strict=True)),
    )
    with atomic_path(snakemake.output.page) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
