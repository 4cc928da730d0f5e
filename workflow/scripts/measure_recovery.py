"""Adapter of rule measure_recovery."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline_lib import store
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import job
from pipeline_lib.models.loading import load_model
from pipeline_lib.models.planted.folder import write_planted_model
from pipeline_lib.models.planted.settings import PlantedSettings
from pipeline_lib.recovery.measuring import measure_network
from pipeline_lib.recovery.rules import matching_rules

with job(snakemake.log[0]):
    params, limits = snakemake.params, snakemake.params.limits
    with TemporaryDirectory() as folder:
        network = write_planted_model(PlantedSettings(**params.network), Path(folder))
        model = load_model(Path(folder), name="planted")
    table = measure_network(
        model,
        network.neurons,
        network.heads,
        matching_rules(HeuristicSettings.from_values(params.types), **limits),
        n_patched=params.prompts["patched"],
        n_attributed=params.prompts["attributed"],
        importance=params.importance,
        seed=params.network["seed"],
    )
    cell = {name: params.network[name] for name in ("noise", "superposition")}
    store.write_table(snakemake.output.recovery, table.assign(**cell, overlap=network.overlap))
