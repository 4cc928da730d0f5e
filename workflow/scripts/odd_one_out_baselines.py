"""Adapter of rule odd_one_out_baselines."""

from pipeline_lib import store
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.odd_one_out.baselines import GridSettings, measure_baselines
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.odd_one_out import Formats
from pipeline_lib.stimuli.people import read_people

with job(snakemake.log[0]), resumable(snakemake):
    params = snakemake.params
    people = read_people(snakemake.input.get("people"))
    model = open_model(snakemake.input.manifest, **params.model)
    found = measure_baselines(
        model,
        people,
        Formats(**params.formats),
        params.examples,
        tasks=params.tasks,
        settings=GridSettings(**params.grid, seed=params.seed),
    )
    for name in ("pairs", "logits", "left_out", "summary"):
        store.write_table(snakemake.output[name], getattr(found, name))
    store.write_json(snakemake.output.choice, found.choice)
