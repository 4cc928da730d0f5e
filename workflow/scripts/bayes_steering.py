"""Adapter of rule bayes_steering."""

from pipeline_lib import store
from pipeline_lib.artifacts.belief_probe import read_best_probe
from pipeline_lib.bayes.probe import ProbeSettings
from pipeline_lib.bayes.steering import SteeringSettings, steer
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.bernoulli import BernoulliTask

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    steered = steer(
        model,
        BernoulliTask.of(**snakemake.params.task),
        read_best_probe(snakemake.input.probe),
        ProbeSettings(**snakemake.params.probing),
        SteeringSettings(**snakemake.params.settings),
    )
    store.write_table(snakemake.output.edits, steered.edits)
    store.write_table(snakemake.output.slopes, steered.slopes)
