"""Cost of the study odd one out: backup heads, paths, retrieval heads, subspaces, neurons."""

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import flops, sister_work
from pipeline_lib.plan.odd_prompts import (
    Work,
    classes_of,
    layouts,
    longest,
    n_candidates,
    own_pairs,
    swept_task,
)
from pipeline_lib.plan.odd_stages import (
    GENERALITY_BYTES,
    NECESSITY_BYTES,
    SWEEP_BYTES,
    critical_layers,
    forward,
    mean_over_slots,
    odd_one_out_baselines,
    odd_one_out_sweeps,
    on_task,
    tested_layers,
    together,
)
from pipeline_lib.plan.prompt_layout import Place
from pipeline_lib.plan.sister_work import (
    captured_bytes,
    engine_bytes,
    interval_seconds,
    patch_flops,
    swept_flops,
)
from pipeline_lib.plan.stages import Stage, model_stage

PATH_BYTES, HYDRA_BYTES, ABLATION_BYTES, COST_BYTES = 130, 96, 94, 182  # rows as text
NEURON_BYTES, CLASS_BYTES, PATCHED_BYTES, PROBE_BYTES = 248, 78, 83, 100
FLIPS = 10_000


def odd_one_out_paths(work: Work) -> Stage:
    """Direct effects twice for each pair; every head of one-name probes; paths to the slice.

    A path for each head below each critical head (at the swapped name) and below the critical MLP
    (at the query), and for the retrieval heads and each random set together.
    """
    settings, shape, task = work.settings.paths, work.shape, swept_task(work)
    n = min(settings.pairs, work.passing(own_pairs(work.settings, task)))
    critical = work.depth(assumed.CRITICAL_DEPTH)
    readers = min(work.settings.sweep.heads, len(critical_layers(work)) * shape.n_heads)
    senders, sets = critical * shape.n_heads, 1 + settings.draws
    to_head = mean_over_slots(
        work, task, lambda at: path_flops(work, at.n_tokens, critical, at.swapped, "head")
    )
    to_mlp = mean_over_slots(
        work, task, lambda at: path_flops(work, at.n_tokens, critical, at.query, "mlp")
    )
    sending = sets * (settings.retrieval_heads - 1) * (readers + 1) * flops.query_flops(shape)
    paths = (senders + sets) * (readers * to_head + to_mlp) + max(0, sending)
    probes, probed = _probes(work)
    direct = 4 * forward(work, task) + 2 * shape.n_layers * (
        flops.query_flops(shape) + flops.mlp_out_flops(shape)
    )
    runs = 2 + 3  # the rival and the values of the first; margin, values, clean run of the paths
    units = shape.n_layers * (shape.n_heads + 1)
    rows = senders * (readers + 1)
    disk = rows * PATH_BYTES + units * HYDRA_BYTES + sets * (readers + 1) * ABLATION_BYTES
    retrieval = 2 * shape.n_layers * shape.n_heads if probes else 0
    group = together(n)
    reading = on_task(work, task)
    return model_stage(
        reading,
        "odd_one_out_paths",
        jobs=1,
        flops=round(n * (paths + direct + runs * forward(work, task)) + probes * probed),
        disk_bytes=disk + retrieval * SWEEP_BYTES + COST_BYTES,
        array_bytes=engine_bytes(reading, group, group * senders)
        + captured_bytes(reading, group, shape.n_heads * shape.d_head + shape.d_mlp),
        n_rows=group,
        seconds=interval_seconds(retrieval, max(1, probes)) + FLIPS * n * units * 1e-9,
    )


def _probes(work: Work) -> tuple[int, float]:
    """One-name probes, and what each costs: three runs, every head at its two places."""
    settings, shape = work.settings, work.shape
    if "one_name" not in settings.tasks:
        return 0, 0.0
    n = min(settings.paths.probes, work.passing(own_pairs(settings, "one_name")))
    patched = mean_over_slots(
        work,
        "one_name",
        lambda at: swept_flops(
            shape, at.n_tokens, range(shape.n_layers), [at.swapped, at.query], "head"
        ),
    )
    return n, 3 * forward(work, "one_name") + shape.n_heads * patched


def path_flops(work: Work, n_tokens: int, layer: int, at: Place, receiver: str) -> int:
    """One path of one prompt, from a head at the last token of a place to its receiver's layer.

    What the head writes; the receiver with and without it (a head at all later positions, and the
    MLP after it); the layers above.
    """
    shape, position = work.shape, at.first + at.n_at - 1
    sent, above = flops.query_flops(shape), flops.above_flops(shape, n_tokens, layer, position)
    if receiver == "mlp":
        return sent + 2 * flops.mlp_flops(shape) + above
    project = 2 * (flops.query_flops(shape) + flops.key_value_flops(shape))
    mix = n_tokens * flops.score_flops(shape) + 2 * shape.d_head * shape.d_model
    mlp = 0 if shape.parallel_residual else flops.mlp_flops(shape)
    return sent + (n_tokens - position) * (project + mix + mlp) + above


def odd_one_out_subspace(work: Work) -> Stage:
    """A pass of each probe prompt; patches of subspaces at the query; neurons of one MLP.

    Of each pair: both runs twice and margins, a clean run, every variant of the residual; gradients
    of the neurons and a patch of each chosen one.
    """
    settings, shape, task = work.settings.subspace, work.shape, swept_task(work)
    n = min(settings.pairs, work.passing(own_pairs(work.settings, task)))
    supers = len(classes_of(work).supers)
    ranks = [rank for rank in settings.ranks if rank < supers]
    variants = 1 + len(ranks) * (2 + settings.draws)
    neurons = min(settings.neurons, shape.d_mlp)
    n_tokens, layer = layouts(work.settings, task)[0].n_tokens, work.depth(assumed.CRITICAL_DEPTH)
    query = Place(n_tokens - 1)
    each = (2 + 2 + 1 + 2 + 1 + 2) * forward(work, task)  # the last two: gradient, exact patches
    each += flops.backward_flops(shape, n_tokens, layer, "mlp_post")
    each += variants * patch_flops(shape, n_tokens, layer, query, "residual")
    each += neurons * flops.above_flops(shape, n_tokens, layer, query.first)
    rows = neurons * (NEURON_BYTES + supers * CLASS_BYTES) + (1 + 3 * len(ranks)) * PATCHED_BYTES
    group = together(n)
    reading = on_task(work, task)
    return model_stage(
        reading,
        "odd_one_out_subspace",
        jobs=1,
        flops=settings.prompts * forward(work, task) + n * each,
        disk_bytes=rows + 2 * len(ranks) * PROBE_BYTES,
        array_bytes=engine_bytes(reading, group, group * variants // n_tokens)
        + settings.prompts * (shape.d_mlp + 2 * shape.d_model) * 8,
        n_rows=together(settings.prompts),
        seconds=FLIPS * n * shape.d_mlp * 1e-9,
    )


def figures(work: Work) -> Stage:
    """Figures of the sweeps, paths and neurons; some tables are in two of them."""
    shape, task = work.shape, swept_task(work)
    parts = 2 * (shape.n_heads + 1)
    swept = shape.n_layers * (3 + parts) * SWEEP_BYTES
    replaced = len(work.settings.sweep.replacements)
    needed = (3 * shape.n_layers + len(critical_layers(work)) * parts) * replaced * NECESSITY_BYTES
    groups = (1 + len(classes_of(work).supers)) * (1 + 4 * len(tested_layers(work)))
    senders = work.depth(assumed.CRITICAL_DEPTH) * shape.n_heads * (work.settings.sweep.heads + 1)
    paths = senders * PATH_BYTES + 2 * shape.n_layers * shape.n_heads * SWEEP_BYTES
    neurons = work.settings.subspace.neurons * (n_candidates(work, task) + 1) * NEURON_BYTES
    hydra = shape.n_layers * (shape.n_heads + 1) * HYDRA_BYTES
    plotted = swept + needed + groups * GENERALITY_BYTES + paths + neurons + hydra
    return sister_work.figures(work, plotted)


STAGES = (
    odd_one_out_baselines,
    odd_one_out_sweeps,
    odd_one_out_paths,
    odd_one_out_subspace,
    figures,
)
__all__ = ["STAGES", "longest"]
