"""Cost of the stages over training, for every checkpoint that is studied beside a model.

C checkpoints; N prompts of T tokens; L layers, M neurons.
"""

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import (
    calibration_stages,
    circuit_stages,
    exact_stages,
    flops,
    model_stages,
    table_stages,
)
from pipeline_lib.plan.model_stages import MASK_ROWS, silenced_flops
from pipeline_lib.plan.stages import Stage, Work, model_stage, table_stage

CIRCUITS = 3  # all, shared and random neurons; the fourth keeps nothing
KINDS = 3  # of maps, of which one is matched


def score_checkpoint(work: Work) -> Stage:
    """Attribution, maps, scores, chains and means of one checkpoint in one job.

    The pairs run three times forwards (two without gradients) and once backwards, or every neuron
    is patched in them (`exact_stages.ranking_flops`); each valid prompt runs once; means are over a
    sample of the prompts (`n_nodes`). Disk: every operator's top neurons, scores, links and labels,
    means.
    """
    maps, ranked = model_stages.neuron_maps(work), table_stages.rank_neurons(work)
    scored, labelled = table_stages.score_heuristics(work), model_stages.label_prompts(work)
    means = circuit_stages.mean_activations(work)
    gradients = model_stages.attribution_patching(work)
    n_pairs = sum(size.n_discovery for size in work.sizes) * len(work.study.attribution.seeds)
    per_node = circuit_stages.node_flops(work)
    averaged = sum(n * cost for n, cost in zip(n_nodes(work), per_node, strict=True))
    ranking = 2 * n_pairs * work.forward + gradients.flops
    if work.study.neurons.ranking == "exact":
        ranking = exact_stages.ranking_flops(work)
    once = ranking + maps.flops + averaged
    n, written = len(work.checkpoints), (ranked, scored, labelled, means)
    start = maps.seconds / maps.jobs
    scoring = scored.seconds - scored.jobs * assumed.START_SECONDS
    return Stage(
        "score_checkpoint",
        jobs=n,
        flops=n * round(once),
        seconds=n * (start + scoring + calibration_stages.chain_seconds(work)),
        memory_bytes=circuit_stages.n_nodes(work)[-1] * assumed.PROMPT_BYTES
        + max(maps.memory_bytes, gradients.memory_bytes)
        + scored.memory_bytes
        - assumed.TABLE_LIBRARY_BYTES,
        disk_bytes=n
        * round(
            sum(part.disk_bytes for part in written)
            + calibration_stages.checkpoint_links_bytes(work)
        ),
        gpus=work.gpus,
    )


def n_nodes(work: Work) -> list[float]:
    """Distinct prefixes of the sampled prompts for every number of tokens (expected).

    Of m prompts drawn from all, a prefix of n of them is among them with 1 - (1 - m / all)^n.
    """
    every = circuit_stages.n_nodes(work)
    share = min(1.0, work.study.checkpoints.mean_prompts / every[-1])
    return [n * (1 - (1 - share) ** (every[-1] / n)) for n in every]


def match_checkpoints(work: Work) -> Stage:
    """The pairs of all checkpoints above the threshold, of one kind of map, as CSV rows."""
    n, matched = len(work.checkpoints), table_stages.match_heuristics(work)
    rows = n * len(work.sizes) * work.n_neurons * work.expected.checkpoint_matches_per_neuron
    return table_stage(
        "match_checkpoints",
        jobs=min(n, 1),
        disk_bytes=rows * (assumed.MATCH_ROW_BYTES + assumed.NAME_BYTES),
        array_bytes=matched.memory_bytes - assumed.TABLE_LIBRARY_BYTES,
    )


def ablate_checkpoint(work: Work) -> Stage:
    """Circuits of three kinds and knockouts by prompt, at every checkpoint and of the model itself.

    N prompts of each operator: intact, under four circuits, and silenced for every limit, with
    their neurons and with the control's.
    """
    settings, n = work.study.checkpoints, len(work.checkpoints)
    asked = [min(settings.prompts, size.n_evaluation) for size in work.sizes]
    n_limits, ablated = len(settings.per_layer), flops.ablation_flops(work.shape, work.n_tokens, 0)
    per_prompt = 2 * work.forward + (CIRCUITS + 1) * ablated
    per_prompt += round(work.expected.silenced_share * n_limits * 2 * silenced_flops(work))
    circuit_rows = CIRCUITS * (circuit_stages.ROW_BYTES + assumed.NAME_BYTES)
    knockout_rows = (n_limits + 1) * 2 * (20 + assumed.NAME_BYTES)
    disk = sum(
        count
        * (
            circuit_rows
            + knockout_rows
            + size.prompt_bytes * CIRCUITS
            + (size.prompt_bytes - len(size.operator)) * (n_limits + 1) * 2
        )
        for count, size in zip(asked, work.sizes, strict=True)
    )
    rows = max(asked) * n_limits * 2
    return model_stage(
        work,
        "ablate_checkpoint",
        jobs=n + 1 if n else 0,
        flops=(n + 1) * sum(asked) * per_prompt if n else 0,
        disk_bytes=(n + 1) * disk if n else 0,
        array_bytes=min(rows, MASK_ROWS) * work.shape.n_layers * work.shape.d_mlp
        + max(size.n_valid for size in work.sizes) * assumed.PROMPT_BYTES,
        n_rows=min(rows, MASK_ROWS),
    )
