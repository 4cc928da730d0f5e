"""Adapter of rule bayes_answers."""

from pipeline_lib import store
from pipeline_lib.bayes.answering import answer
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.stimuli.bernoulli import BernoulliTask

with job(snakemake.log[0]), resumable(snakemake):
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    task = BernoulliTask.of(**snakemake.params.task)
    answered = answer(model, task, **snakemake.params.settings)
    for name in ("answers", "scores", "lens", "layers"):
        store.write_table(snakemake.output[name], getattr(answered, name))
