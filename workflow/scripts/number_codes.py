"""Adapter of rule number_codes."""

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rivals.codes import CodeSettings, number_codes
from pipeline_lib.stimuli.context import PromptContext

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    context = PromptContext.read(snakemake.input.context, model.tokenizer)
    tables = (store.read_table(path) for path in snakemake.input.evaluation)
    codes = number_codes(
        model,
        context.encode,
        context.answer_ids,
        dict(zip(snakemake.params.operators, tables, strict=True)),
        settings=CodeSettings(**snakemake.params.settings),
    )
    store.write_table(snakemake.output.spectra, codes.spectra)
    store.write_table(snakemake.output.fits, codes.fits)
    store.write_table(snakemake.output.patches, codes.patches)
