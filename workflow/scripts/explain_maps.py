"""Adapter of rule explain_maps."""

from pipeline_lib import store
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job
from pipeline_lib.pieces import resumable
from pipeline_lib.rivals.study import explain_maps, write_spectra
from pipeline_lib.rng import generator

with job(snakemake.log[0]), resumable(snakemake):
    operator, settings = snakemake.wildcards.operator, snakemake.params.settings
    found = explain_maps(
        snakemake.input.maps,
        operator,
        HeuristicSettings.from_values(snakemake.params.types),
        n_prompts=settings["prompts"],
        n_modes=settings["n_modes"],
        periods=settings["periods"],
        rng=generator(settings["seed"], "explain_maps", operator),
    )
    store.write_table(snakemake.output.explained, found.explained)
    store.write_table(snakemake.output.chosen, found.chosen)
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    write_spectra(snakemake.output.spectra, found, provenance)
