"""Adapter of rule prompt_context."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.loading import load_tokenizer
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.stimuli.context import draw_context

with job(snakemake.log[0]):
    folder = Path(store.read_json(snakemake.input.manifest)["folder"])
    context = draw_context(
        NumberTokens.measure(load_tokenizer(folder)),
        snakemake.params.operators,
        **snakemake.params.prompts,
    )
    store.write_json(snakemake.output.context, context)
