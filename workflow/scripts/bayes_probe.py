"""Adapter of rule bayes_probe."""

from pipeline_lib import store
from pipeline_lib.artifacts.belief_probe import write_probes
from pipeline_lib.bayes.probe import ProbeSettings, probe_beliefs
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.bernoulli import BernoulliTask

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    task = BernoulliTask.of(**snakemake.params.task)
    probed = probe_beliefs(model, task, ProbeSettings(**snakemake.params.settings))
    provenance = store.provenance(snakemake.wildcards, snakemake.params)
    write_probes(snakemake.output.probe, probed, provenance)
    store.write_table(snakemake.output.scores, probed.scores)
    store.write_table(snakemake.output.predictions, probed.predictions)
