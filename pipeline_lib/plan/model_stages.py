"""Cost of the stages that run the model. N prompts of T tokens; L layers, H heads, M neurons."""

from pipeline_lib.plan import flops
from pipeline_lib.plan.assumptions import PROMPT_BYTES
from pipeline_lib.plan.sizes import OperatorSizes
from pipeline_lib.plan.stages import Stage, Work, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.stimuli.arithmetic import POSITIONS

MAP_CHUNK = 1 << 13  # prompts in one chunk of a neuron's map
MASK_ROWS = 1024  # rows whose ablation masks are made at once
N_DONORS = 32  # prompts of an operator whose activations take the place of others
NORM_PROMPTS = 1000  # prompts of an operator over which norms of neurons without maps are taken
NOISE_ROWS = 64  # rows of the batch that measures the noise floor
CHECKS_BYTES = 3_200  # the self-test's report


def label_prompts(work: Work) -> Stage:
    """One forward pass for each valid prompt; a CSV row of each."""
    return model_stage(
        work,
        "label_prompts",
        jobs=len(work.sizes),
        flops=sum(size.n_valid for size in work.sizes) * work.forward,
        disk_bytes=sum(
            size.n_valid * size.labelled_bytes + len("operator,a,b,answer,predicted,label\n")
            for size in work.sizes
        ),
        array_bytes=_most(work, "n_valid") * PROMPT_BYTES,
        n_rows=_most(work, "n_valid"),
    )


def cache_clean(work: Work) -> Stage:
    """One forward pass for each discovery prompt; z, mlp_post, resid_post, logits on disk."""
    return _cache(work, "cache_clean", ("z", "mlp_post", "resid_post"), 1)


def cache_counterfactual(work: Work) -> Stage:
    """The same for the counterfactual prompts of every seed, without resid_post."""
    return _cache(work, "cache_counterfactual", ("z", "mlp_post"), work.n_seeds)


def verify_engine(work: Work) -> Stage:
    """The engine's self-test: a map of all effects, random patches by it and by two loops of hooks.

    N pairs of prompts, P patches. The engine: 2 N passes recorded, N maps, 2 P patches, 5 N clean
    runs, everything patched at once; each loop: 3 N + P passes with logits at all positions; the
    noise floor: N of these and a batch. Disk: 13 checks as text.
    """
    settings, shape, n_tokens = work.study.verification, work.shape, work.n_tokens
    n = settings.prompts * len(work.sizes)
    patches = max(settings.patches, 2 * shape.n_layers)
    positions = _columns(work)
    maps = flops.patching_flops(shape, n_tokens, positions)
    one = (maps - work.forward) // flops.n_patches(shape, n_tokens, positions)
    plain = flops.forward_flops(shape, n_tokens, n_tokens)
    engine = n * (6 * work.forward + maps + flops.ablation_flops(shape, n_tokens, 0))
    loops = 2 * (3 * n + patches) * plain + n * plain + NOISE_ROWS * work.forward
    return model_stage(
        work,
        "verify_engine",
        jobs=1,
        flops=engine + 2 * patches * one + loops,
        disk_bytes=CHECKS_BYTES,
        array_bytes=2 * n * _row_bytes(work, ("z", "mlp_post")),
        n_rows=n * flops.n_patches(shape, n_tokens, positions),
    )


def indirect_effects(work: Work) -> Stage:
    """Clean run and patches of N prompts for each seed (`flops.patching_flops`).

    Disk: indirect_effect and log_odds_change, float64 [N, positions, L, H + 1]. Memory: the
    counterfactual activations.
    """
    n_positions = len(work.study.effects.positions)
    per_prompt = flops.patching_flops(work.shape, work.n_tokens, _columns(work), work.engine)
    n_components = work.shape.n_heads + 1
    names = [*(f"head_{head}" for head in range(n_components)), *work.study.effects.positions]

    def file_bytes(size: OperatorSizes) -> int:
        n = size.n_discovery
        effect = Dataset((n, n_positions, work.shape.n_layers, n_components), "float64")
        return artifact_bytes([effect, effect, Dataset((n, 2), "float64")], names)

    return model_stage(
        work,
        "indirect_effects",
        jobs=len(work.sizes) * work.n_seeds,
        flops=work.n_seeds * sum(size.n_discovery for size in work.sizes) * per_prompt,
        disk_bytes=work.n_seeds * sum(map(file_bytes, work.sizes)),
        array_bytes=_most(work, "n_discovery") * _row_bytes(work, ("z", "mlp_post")),
        n_rows=_most(work, "n_discovery") * work.shape.n_layers * n_components * n_positions,
    )


def attribution_patching(work: Work) -> Stage:
    """Gradients of N prompt pairs for each seed of the attribution (`flops.attribution_flops`).

    Disk: neurons_last [N, L, M], heads [N, positions, L, H], mlp0_before [N, M], mean and deviation
    [positions, L, M].
    Memory: clean activations, and for each seed clean and counterfactual ones, joined.
    """
    settings, shape, n_positions = work.study.attribution, work.shape, len(POSITIONS)
    n_seeds = len(settings.seeds)
    per_pair = flops.attribution_flops(shape, work.n_tokens, settings.method, settings.steps)

    def file_bytes(size: OperatorSizes) -> int:
        n = size.n_discovery * n_seeds
        summary = Dataset((n_positions, shape.n_layers, shape.d_mlp))
        last = Dataset((n, shape.n_layers, shape.d_mlp))
        heads = Dataset((n, n_positions, shape.n_layers, shape.n_heads))
        mlp0 = Dataset((n, shape.d_mlp))
        return artifact_bytes([last, heads, mlp0, summary, summary], POSITIONS)

    copies = 1 + 3 * n_seeds
    return model_stage(
        work,
        "attribution_patching",
        jobs=len(work.sizes),
        flops=n_seeds * sum(size.n_discovery for size in work.sizes) * per_pair,
        disk_bytes=sum(map(file_bytes, work.sizes)),
        array_bytes=copies * _most(work, "n_discovery") * _row_bytes(work, ("z", "mlp_post")),
        n_rows=n_seeds * _most(work, "n_discovery"),
        layers_kept=3 * shape.n_layers,
    )


def neuron_maps(work: Work) -> Stage:
    """One forward pass for each valid prompt, and the value logits of the top neurons.

    Disk: k_map [neurons, prompts] in chunks of up to 8,192 prompts, value_logits [neurons,
    numbers], operands and answers as int64. Memory: twice one chunk of every neuron.
    """
    neurons, numbers = work.n_neurons, work.max_number + 1
    dtype = work.study.activations.dtype

    def file_bytes(size: OperatorSizes) -> int:
        n = size.n_valid
        k_map = Dataset((neurons, n), dtype, (1, min(n, MAP_CHUNK)))
        index = [Dataset((n,), "int64")] * 3 + [Dataset((neurons,), "int64")] * 2
        return artifact_bytes([k_map, Dataset((neurons, numbers)), *index])

    values = flops.value_logit_flops(work.shape, neurons, numbers)
    most = _most(work, "n_valid")
    batch = 2 * work.batch_rows(most) * work.n_late_layers * work.shape.d_mlp * 4
    return model_stage(
        work,
        "neuron_maps",
        jobs=len(work.sizes),
        flops=sum(size.n_valid * work.forward + values for size in work.sizes),
        disk_bytes=sum(map(file_bytes, work.sizes)),
        array_bytes=2 * neurons * min(most, MAP_CHUNK) * 4 + most * PROMPT_BYTES + batch,
        n_rows=most,
    )


def knock_out_heuristics(work: Work) -> Stage:
    """N prompts and N others of each heuristic, under its own set and S random ones, K ablations.

    Each distinct prompt also intact, once for each of K. How many heuristics have enough neurons is
    known after matching; see `n_knocked_out`. A line of the table for each set and ablation.
    """
    settings = work.study.knockouts.by_heuristic
    heuristics = [n_knocked_out(work, size) for size in work.sizes]
    rows = [
        n * 2 * min(settings.prompts, size.n_evaluation // 2)
        for n, size in zip(heuristics, work.sizes, strict=True)
    ]
    intact = sum(min(n, size.n_evaluation) for n, size in zip(rows, work.sizes, strict=True))
    kinds, sets = len(work.study.knockouts.ablations), 1 + settings.draws
    header, line = 139, 103
    disk = len(work.sizes) * header + line * sum(heuristics) * kinds * sets
    silenced = kinds * sets * sum(rows)
    return _knockouts(work, "knock_out_heuristics", kinds * intact, silenced, disk)


def n_knocked_out(work: Work, size: OperatorSizes) -> int:
    """Heuristics expected to have enough neurons: a measured share of neurons / min_neurons."""
    share = work.expected.knocked_out_share
    least = work.study.knockouts.by_heuristic.min_neurons
    return min(size.n_heuristics, round(share * work.n_neurons / least))


def knock_out_prompts(work: Work) -> Stage:
    """A run of each prompt, limit and ablation for its neurons, the control's and matched ones."""
    settings, kinds = work.study.knockouts.by_prompt, len(work.study.knockouts.ablations)
    n_limits = settings.max_per_layer // settings.step
    intact = [min(settings.prompts, size.n_evaluation) for size in work.sizes]
    rows = [n * (n_limits + 1) * 3 * kinds for n in intact]
    header, line = 70, 36  # the mean: a norm only where neurons are silenced, hardly any under fdr
    disk = sum(
        n * (size.prompt_bytes - len(size.operator) + line) + header
        for n, size in zip(rows, work.sizes, strict=True)
    )
    silenced = round(work.expected.silenced_share * sum(intact) * n_limits * 3 * kinds)
    return _knockouts(work, "knock_out_prompts", kinds * sum(intact), silenced, disk)


def silenced_flops(work: Work) -> int:
    """A run of one prompt with neurons of the late layers silenced."""
    first = work.shape.n_layers - work.n_late_layers
    return flops.ablation_flops(work.shape, work.n_tokens, first)


def _knockouts(work: Work, rule: str, intact: int, rows: int, disk_bytes: int | float) -> Stage:
    """``intact`` whole runs, and ``rows`` runs from the first layer that has silenced neurons.

    Also a run of every prompt whose activations are resampled or of which norms are taken. Memory:
    masks, the former's mlp_post at every position.
    """
    masks = min(rows, MASK_ROWS) * work.shape.n_layers * work.shape.d_mlp
    kept = [min(N_DONORS, size.n_evaluation) for size in work.sizes]
    if "resample" not in work.study.knockouts.ablations:
        kept = [0] * len(kept)
    whole = intact + sum(kept) + sum(min(NORM_PROMPTS, size.n_evaluation) for size in work.sizes)
    donors = max(kept) * work.n_tokens * work.shape.n_layers * work.shape.d_mlp * 4
    return model_stage(
        work,
        rule,
        jobs=len(work.sizes),
        flops=whole * work.forward + rows * silenced_flops(work),
        disk_bytes=disk_bytes,
        array_bytes=masks + donors + _most(work, "n_evaluation") * PROMPT_BYTES,
        n_rows=min(rows, MASK_ROWS),
    )


def _cache(work: Work, rule: str, sites: tuple[str, ...], n_seeds: int) -> Stage:
    def file_bytes(size: OperatorSizes) -> int:
        datasets = [
            Dataset((size.n_discovery, *shape), work.study.activations.dtype)
            for shape in _site_shapes(work, sites)
        ]
        logits = Dataset((size.n_discovery, work.shape.d_vocab))
        return artifact_bytes(
            [*datasets, logits, Dataset((size.n_discovery, work.n_tokens), "int64")]
        )

    most = _most(work, "n_discovery")
    return model_stage(
        work,
        rule,
        jobs=len(work.sizes) * n_seeds,
        flops=n_seeds * sum(size.n_discovery for size in work.sizes) * work.forward,
        disk_bytes=n_seeds * sum(map(file_bytes, work.sizes)),
        array_bytes=2 * work.batch_rows(most) * _row_bytes(work, sites),
        n_rows=most,
    )


def _site_shapes(work: Work, sites: tuple[str, ...]) -> list[tuple[int, ...]]:
    shape = work.shape
    widths = {
        "z": (shape.n_heads, shape.d_head),
        "mlp_post": (shape.d_mlp,),
        "resid_post": (shape.d_model,),
    }
    return [(work.n_tokens, shape.n_layers, *widths[site]) for site in sites]


def _row_bytes(work: Work, sites: tuple[str, ...]) -> int:
    """One prompt's activations and logits in memory, as float32."""
    arrays = [Dataset(shape).n_bytes for shape in _site_shapes(work, sites)]
    return sum(arrays) + 4 * work.shape.d_vocab


def _columns(work: Work) -> list[int]:
    """Token positions that are patched."""
    first = work.n_tokens - len(POSITIONS)
    return [first + POSITIONS.index(name) for name in work.study.effects.positions]


def _most(work: Work, count: str) -> int:
    """The largest count (n_valid, n_discovery, n_evaluation) of any operator."""
    return max(getattr(size, count) for size in work.sizes)
