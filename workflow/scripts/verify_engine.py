"""Adapter of rule verify_engine."""

from pathlib import Path

from pipeline_lib import store
from pipeline_lib.artifacts.verification import read_pairs, write_checks
from pipeline_lib.logs import job
from pipeline_lib.models.loading import load_tokenizer
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.context import PromptContext
from pipeline_lib.verification.checks import require_passed
from pipeline_lib.verification.verify import verify_engine

with job(snakemake.log[0]), resumable(snakemake):
    settings = snakemake.params.settings
    folder = Path(store.read_json(snakemake.input.manifest)["folder"])
    context = PromptContext.read(snakemake.input.context, load_tokenizer(folder))
    checks = verify_engine(
        lambda: open_model(snakemake.input.manifest, **snakemake.params.model, own=True),
        read_pairs(snakemake.input.pairs, context, settings["prompts"]),
        settings["patches"],
        generator(settings["seed"], "verify_engine"),
    )
    require_passed(checks, where=f"model {snakemake.wildcards.model}")
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    write_checks(snakemake.output.checks, checks, provenance)
