"""Adapter of rule induction_heads."""

from pipeline_lib import store
from pipeline_lib.induction.heads import draw_sequences, measure_heads, write_patterns
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable

with job(snakemake.log[0]), resumable(snakemake):
    settings = snakemake.params.settings
    prepend_bos, seed = settings["prepend_bos"], settings["seed"]
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    sequences = draw_sequences(
        model,
        settings["sequences"],
        settings["repeated_tokens"],
        prepend_bos=prepend_bos,
        seed=seed,
    )
    scores, recall = measure_heads(model, sequences, seed)
    store.write_table(snakemake.output.scores, scores)
    store.write_table(snakemake.output.recall, recall)
    write_patterns(
        snakemake.output.patterns,
        model,
        sequences,
        tuple(settings["symbols"]),
        prepend_bos=prepend_bos,
        provenance=store.provenance(snakemake.wildcards, snakemake.params),
    )
