"""Adapter of rule write_odd_one_out_findings."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.findings.odd_one_out import write_page
from pipeline_lib.logs import job

with job(snakemake.log[0]):
    documents, tables = {}, {}
    for name, path in snakemake.input.items():
        read = store.read_json if str(path).endswith(".json") else store.read_table
        (documents if read is store.read_json else tables)[name] = read(path)
    page = write_page(snakemake.wildcards.model, tables, documents)
    with store.atomic_path(snakemake.output.page) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
