"""Adapter of rule order_drift."""

from pipeline_lib import store
from pipeline_lib.induction.baseline import measure_orders
from pipeline_lib.logs import job
from pipeline_lib.models.opening import open_model
from pipeline_lib.pieces import resumable
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.sequences import check_symbols, order_table, pairs_of

with job(snakemake.log[0]), resumable(snakemake):
    settings = snakemake.params.settings
    model = open_model(snakemake.input.manifest, **snakemake.params.model)
    pairs = pairs_of(settings["symbols"], settings["other_symbols"])
    check_symbols(model.tokenizer, pairs)
    rng = generator(settings["seed"], "order_drift", "orders")
    counts = [tuple(both) for both in settings["counts"]]
    orders, drifts = measure_orders(
        model,
        order_table(counts, settings["max_orders"], rng),
        pairs,
        prepend_bos=settings["prepend_bos"],
        seed=settings["seed"],
    )
    store.write_table(snakemake.output.orders, orders)
    store.write_table(snakemake.output.drift, drifts)
