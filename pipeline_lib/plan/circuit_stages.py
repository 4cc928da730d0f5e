"""Cost of testing circuits: means of all activations, and runs with circuits alone."""

from pipeline_lib.circuits.sizes import BUDGET, LOGIT_BYTES, log_sizes
from pipeline_lib.plan import flops
from pipeline_lib.plan.assumptions import PROMPT_BYTES
from pipeline_lib.plan.sizes import EXAMPLE_TOKENS
from pipeline_lib.plan.stages import Stage, Work, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes

ROW_BYTES = 83  # what was measured, beside the prompt: measured, 75 to 90
TEST_HEADER, TEST_ROW_BYTES = 92, 118  # of a set: measured
SETS_AT_ONCE = 64
CIRCUIT_BYTES = 200  # names of the circuit's heads


def mean_activations(work: Work) -> Stage:
    """One pass over the tree of all prompts' prefixes (`n_nodes`), without logits.

    Disk: z [T, L, H, d_head] and mlp_post [T, L, M]. Memory: all token ids, thrice.
    """
    shape, n_tokens = work.shape, work.n_tokens
    counts, per_node = n_nodes(work), node_flops(work)
    sites = [
        Dataset((n_tokens, shape.n_layers, shape.n_heads, shape.d_head)),
        Dataset((n_tokens, shape.n_layers, shape.d_mlp)),
        Dataset((n_tokens,), "int64"),
    ]
    return model_stage(
        work,
        "mean_activations",
        jobs=1,
        flops=sum(n * cost for n, cost in zip(counts, per_node, strict=True)),
        disk_bytes=artifact_bytes(sites),
        array_bytes=counts[-1] * (PROMPT_BYTES + 3 * n_tokens * 8),
        n_rows=counts[-1],
    )


def node_flops(work: Work) -> list[int]:
    """One token of one prefix through all layers, without logits, for every length."""
    return [
        work.shape.n_layers * flops.layer_flops(work.shape, 1, t + 1) for t in range(work.n_tokens)
    ]


def n_nodes(work: Work) -> list[int]:
    """Distinct prefixes of all pairs of operands, valid or not, for every number of tokens.

    The solved examples of an operator stand in front of its prompts.
    """
    n_operands = min(work.study.prompts.max_operand, work.max_number + 1)
    operators = len(work.sizes)
    examples = EXAMPLE_TOKENS * work.study.prompts.few_shot
    first = n_operands * (operators if examples else 1)
    pairs = operators * n_operands**2
    return [1, *[operators] * examples, first, operators * n_operands, pairs, pairs]


def faithfulness(work: Work) -> Stage:
    """N prompts for every seed under each circuit, ablated from the first layer on, and intact.

    Circuits that two curves share run once (`n_circuits`); `auto` also runs the discovery prompts
    under the circuits of heads. Memory: logits of all circuits within the budget, the masks,
    effects of neurons in float64.
    """
    settings, shape = work.study.faithfulness, work.shape
    asked = [min(settings.prompts, s.n_evaluation) * len(settings.seeds) for s in work.sizes]
    intact = [min(n, s.n_evaluation) for n, s in zip(asked, work.sizes, strict=True)]
    tried, listed = n_circuits(work)
    ablated = flops.ablation_flops(shape, work.n_tokens, 0)
    rows = sum(asked) * tried + _auto_rows(work)
    effects = 3 * max(s.n_discovery for s in work.sizes) * len(work.study.attribution.seeds)
    masks = 4 * listed * shape.n_layers * (shape.d_mlp + shape.n_heads)
    logits = min(BUDGET, max(asked) * tried * shape.d_vocab * LOGIT_BYTES)
    return model_stage(
        work,
        "faithfulness",
        jobs=len(work.sizes),
        flops=sum(intact) * work.forward + rows * ablated,
        disk_bytes=sum(
            n * listed * (s.prompt_bytes + ROW_BYTES) + CIRCUIT_BYTES
            for n, s in zip(asked, work.sizes, strict=True)
        ),
        array_bytes=logits + masks + 8 * effects * shape.n_layers * shape.d_mlp,
        n_rows=max(asked) * tried,
    )


def n_circuits(work: Work) -> tuple[int, int]:
    """Circuits that run, and rows of the table for each prompt.

    The whole model costs nothing beside its intact run. The circuit of heads is on the curve over
    heads, and the end of the curve over neurons.
    """
    every_head = work.shape.n_layers * work.shape.n_heads
    n_heads = min(work.study.faithfulness.max_heads, every_head)
    sizes = len(log_sizes(work.shape.d_mlp, work.study.faithfulness.sizes))
    heads = n_heads + 1 - (n_heads == every_head)
    nothing = 1
    return nothing + heads + (sizes - 1) + sizes, n_heads + 2 + 2 * sizes


def circuit_test(work: Work) -> Stage:
    """N prompts under the circuit and under random sets of two kinds, nothing and everything.

    At most: sets that come twice run once, and where few exist all of them do. Each part of the
    sets is run with the two baselines. Disk: a row a set; of those with the circuit's number in a
    layer as many as two heads of different layers have. Memory: the logits and masks of a part.
    """
    settings, shape = work.study.circuit_test, work.shape
    asked = [min(settings.prompts, s.n_evaluation) for s in work.sizes]
    parts = -(-settings.sets // SETS_AT_ONCE)
    rows = 1 + 2 * settings.sets + (1 + 2 * parts)  # the last: keeping nothing
    intact = 1 + 2 * parts
    held = min(settings.sets, SETS_AT_ONCE) + 2
    written = 1 + settings.sets + min(settings.sets, shape.n_heads**2)
    ablated = flops.ablation_flops(shape, work.n_tokens, 0)
    return model_stage(
        work,
        "circuit_test",
        jobs=len(work.sizes),
        flops=sum(asked) * (rows * ablated + intact * work.forward),
        disk_bytes=len(work.sizes) * (TEST_HEADER + written * TEST_ROW_BYTES),
        array_bytes=min(BUDGET, max(asked) * held * shape.d_vocab * LOGIT_BYTES)
        + 4 * held * shape.n_layers * (shape.d_mlp + shape.n_heads),
        n_rows=max(asked) * held,
    )


def _auto_rows(work: Work) -> int:
    """Runs that find the number of heads."""
    found = {name for name, n in work.study.circuit.n_heads.items() if n == "auto"}
    n_prompts = sum(size.n_discovery for size in work.sizes if size.operator in found)
    return n_prompts * (work.study.faithfulness.max_heads + 1)
