"""Cost of the study induction: orders of two symbols, attention of heads, heads ablated.

n = L H heads; T tokens of an order of three and three; S random sets of k heads for each k.
"""

from collections.abc import Sequence
from math import ceil, comb

from pipeline_lib.config.induction import InductionStudy
from pipeline_lib.induction.sizes import set_sizes
from pipeline_lib.plan import flops, sister_work
from pipeline_lib.plan.prompt_layout import count_tokens
from pipeline_lib.plan.sister_work import SisterWork, engine_bytes, interval_seconds
from pipeline_lib.plan.stages import Stage, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes

Work = SisterWork[InductionStudy]

NAMED_COUNTS, N_NAMED, SHOWN_SEQUENCES = (3, 3), 3, 2
KINDS, N_MEASURES, N_SCORES = 2, 5, 3
ROWS = 4096  # prompts whose ablations run in one call
MASK_BYTES = 17  # of a head in a random set, while these are drawn
ORDER_BYTES, DRIFT_BYTES, SCORE_BYTES, ABLATION_BYTES, JOINT_BYTES = 92, 187, 97, 164, 107
RECALL_BYTES, AGREEMENT_BYTES, COST_BYTES = 162, 3_850, 160
CELL_BYTES, CELL_DEFLATED = 25, 1.1  # an attention as text, and in the page


def order_tokens(settings: InductionStudy, n_symbols: int) -> int:
    """Tokens of an order's prompt: what stands in front, and one for each symbol."""
    return count_tokens("Sequence:") + n_symbols + settings.prepend_bos


def order_counts(settings: InductionStudy) -> dict[tuple[int, int], int]:
    """Orders of the first pair of symbols that are run, by their counts."""
    found = {NAMED_COUNTS: comb(sum(NAMED_COUNTS), NAMED_COUNTS[0])}
    for n_x, n_y in settings.counts:
        found.setdefault((n_x, n_y), min(settings.max_orders, comb(n_x + n_y, n_x)))
    return found


def longest(work: Work) -> int:
    """Tokens of the longest orders or of the random sequences."""
    orders = (order_tokens(work.settings, sum(counts)) for counts in order_counts(work.settings))
    return max(*orders, repeated_length(work))


def repeated_length(work: Work) -> int:
    """Tokens of a random sequence that comes twice."""
    return 2 * work.settings.repeated_tokens + work.settings.prepend_bos


def order_drift(work: Work) -> Stage:
    """Each order thrice: for its answer, and together and alone for the noise floor."""
    settings = work.settings
    counts = order_counts(settings)
    others = len(settings.other_symbols)
    runs = {sum(NAMED_COUNTS): others * counts[NAMED_COUNTS]}
    for both, n in counts.items():
        runs[sum(both)] = runs.get(sum(both), 0) + n
    n_orders, n_rows = sum(runs.values()), len(counts) + others
    return model_stage(
        work,
        "order_drift",
        jobs=1,
        flops=3 * sum(n * work.forward(order_tokens(settings, size)) for size, n in runs.items()),
        disk_bytes=n_orders * ORDER_BYTES + n_rows * DRIFT_BYTES,
        array_bytes=max(counts.values()) * work.shape.d_vocab * 24,
        n_rows=max(counts.values()),
        seconds=interval_seconds(2, n_orders),
    )


def induction_heads(work: Work) -> Stage:
    """Patterns of random sequences, a pass of each of their beginnings, patterns to look at.

    Disk: patterns [prompt, L, H, T, T] of the named orders and of some sequences, scores.
    """
    settings, shape = work.settings, work.shape
    length, n = repeated_length(work), settings.sequences
    order = order_tokens(settings, sum(NAMED_COUNTS))
    half = range(1, settings.repeated_tokens)
    starts = [settings.prepend_bos + at for at in half]
    starts += [start + settings.repeated_tokens for start in starts]
    shown = [(N_NAMED, order), (min(SHOWN_SEQUENCES, n), length)]
    attended = n * attention_flops(work, length)
    attended += sum(count * attention_flops(work, size) for count, size in shown)
    units = (shape.n_layers, shape.n_heads)
    patterns = [Dataset((count, *units, size, size)) for count, size in shown]
    names = ["token"] * sum(count * size for count, size in shown)
    scored = N_SCORES * shape.n_layers * shape.n_heads
    return model_stage(
        work,
        "induction_heads",
        jobs=1,
        flops=attended + n * sum(work.forward(start) for start in starts),
        disk_bytes=artifact_bytes(patterns, names) + scored * SCORE_BYTES + RECALL_BYTES,
        array_bytes=12 * n * length**2 * shape.n_layers * shape.n_heads + n * shape.d_vocab * 8,
        n_rows=n,
        layers_kept=shape.n_layers,
        seconds=interval_seconds(2, n),
    )


def attention_flops(work: Work, n_tokens: int) -> int:
    """A pass of one prompt, and in every layer queries, keys and their products again."""
    shape = work.shape
    again = flops.query_flops(shape) + flops.key_value_flops(shape)
    again += n_tokens * flops.score_flops(shape) // 2
    return work.forward(n_tokens) + shape.n_layers * n_tokens * again


def ablate_orders(work: Work) -> Stage:
    """All orders of three and three, of every pair of symbols, without some heads.

    Of each pair and kind of ablation without each head and without the top k; of the first pair
    also without S random sets of k. A row runs the layers from its first ablated head on. Disk: the
    names of the top k heads, for each k and measure, are many in large models.
    """
    settings, shape = work.settings, work.shape
    n_tokens = order_tokens(settings, sum(NAMED_COUNTS))
    n_orders, n = comb(sum(NAMED_COUNTS), NAMED_COUNTS[0]), shape.n_layers * shape.n_heads
    n_pairs = 1 + len(settings.other_symbols)
    single = shape.n_heads * sum(
        flops.ablation_flops(shape, n_tokens, layer) for layer in range(shape.n_layers)
    )
    sizes = set_sizes(n, settings.set_sizes)
    nested = nested_flops(work, n_tokens, sizes)
    at_once = max(1, ROWS // n_orders)
    calls = ceil(n / at_once) + ceil(len(sizes) / at_once)
    random_calls = ceil(len(sizes) * settings.random_sets / at_once)
    whole = n_pairs * (2 + KINDS * calls) + KINDS * random_calls
    rows = n_pairs * (single + nested) + settings.random_sets * nested
    listed = KINDS * (N_MEASURES + 1)
    names = len(f"L{shape.n_layers - 1}H{shape.n_heads - 1} ") * sum(sizes)
    tables = KINDS * N_MEASURES * n * ABLATION_BYTES
    tables += listed * ((2 + (n_pairs > 1)) * len(sizes) * JOINT_BYTES + names)
    drawn = len(sizes) * settings.random_sets * n
    work = work.reading(n_tokens)
    return model_stage(
        work,
        "ablate_orders",
        jobs=1,
        flops=n_orders * (whole * work.forward(n_tokens) + round(KINDS * rows)),
        disk_bytes=tables + AGREEMENT_BYTES + COST_BYTES,
        array_bytes=drawn * MASK_BYTES + engine_bytes(work, n_orders, ROWS),
        n_rows=ROWS,
        seconds=interval_seconds(KINDS * N_MEASURES * n, n_pairs),
    )


def nested_flops(work: Work, n_tokens: int, sizes: Sequence[int]) -> float:
    """One prompt without k of the heads, all sizes k together, the k drawn at random.

    A set of k has no head below layer l with the probability C(n - l H, k) / C(n, k).
    """
    shape = work.shape
    n = shape.n_layers * shape.n_heads
    above = [
        sum(comb(n - layer * shape.n_heads, k) / comb(n, k) for k in sizes)
        for layer in range(shape.n_layers + 1)
    ]
    return sum(
        (above[layer] - above[layer + 1]) * flops.ablation_flops(shape, n_tokens, layer)
        for layer in range(shape.n_layers)
    )


def figures(work: Work) -> Stage:
    """Figures of the tables and of attention, which is a page to browse too."""
    length, order = repeated_length(work), order_tokens(work.settings, sum(NAMED_COUNTS))
    heads = work.shape.n_layers * work.shape.n_heads
    cells = heads * (N_NAMED * order**2 + SHOWN_SEQUENCES * length**2) / 2
    tables = heads * (KINDS * N_MEASURES * (2 * ABLATION_BYTES) + N_SCORES * SCORE_BYTES)
    sizes = set_sizes(heads, work.settings.set_sizes)
    tables += KINDS * (N_MEASURES + 1) * 3 * len(sizes) * JOINT_BYTES
    return sister_work.figures(work, cells * (CELL_BYTES + CELL_DEFLATED) + tables)


STAGES = (order_drift, induction_heads, ablate_orders, figures)
