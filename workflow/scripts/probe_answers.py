"""Adapter of rule probe_answers."""

import torch

from pipeline_lib import store
from pipeline_lib.artifacts.residuals import open_residuals
from pipeline_lib.logs import job
from pipeline_lib.pieces import resumable
from pipeline_lib.probing.answers import probe_answers
from pipeline_lib.probing.training import ProbeSettings
from pipeline_lib.rng import generator

with job(snakemake.log[0]), resumable(snakemake):
    operator, settings = snakemake.wildcards.operator, snakemake.params.settings
    trained = ("epochs", "learning_rate", "batch", "standardize")
    with open_residuals(snakemake.input.residuals) as residuals:
        table = probe_answers(
            residuals.layers,
            residuals.answers,
            operator=operator,
            positions=residuals.positions,
            n_layers=residuals.n_layers,
            n_numbers=store.read_json(snakemake.input.context)["max_number"] + 1,
            d_model=residuals.d_model,
            settings=ProbeSettings(**{name: settings[name] for name in trained}),
            test_share=settings["test_share"],
            rng=generator(settings["seed"], "probe_answers", operator),
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
    store.write_table(snakemake.output.probes, table)
