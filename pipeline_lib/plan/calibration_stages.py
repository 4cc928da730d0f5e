"""Cost of calibrated matching: nulls, surrogates, chains, and what runs under both rules.

N valid prompts, whose operands span a plane of P places; M neurons of a layer, D = d_model, W
numbers.
"""

from collections.abc import Callable
from functools import wraps

from pipeline_lib.figures.catalog import RULES
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import flops, table_stages
from pipeline_lib.plan.sizes import OperatorSizes
from pipeline_lib.plan.stages import Stage, Work, model_stage, table_stage

BLOCK = 64  # null maps measured at once
NEURON_BLOCK = 32  # neurons calibrated at once
COPIES = 4  # of a block of maps: K, KV, both freed of their trend
TORUS, TORUS_COPIES = 2.25, 6  # places on which surrogates are drawn, for each of the plane
CLASSIFIED_HEADER, NEURON_HEADER, CHECKPOINT_HEADER = 123, 150, 144
DESIGN_DRAWS = 12 * 20  # surfaces that measure every length scale's spectrum


def under_both_rules(stage_of: Callable[[Work], Stage]) -> Callable[[Work], Stage]:
    """The same stage once for each rule of matching."""

    @wraps(stage_of)
    def both(work: Work) -> Stage:
        return stage_of(work).times(len(RULES))

    return both


def null_evidence(work: Work) -> Stage:
    """Every valid prompt in the model and in its untrained twin, read out by null maps.

    A readout is a product of one layer's neurons with its weights; its value logits are those of a
    direction of the residual stream. Disk: a row for each map. Memory: the weights twice, the maps
    of two families at N prompts, and one block of them as evidence has it.
    """
    shape, layers = work.shape, work.n_late_layers
    own, other = null_maps(work)
    per_prompt = 2 * work.forward + layers * 2 * shape.d_mlp * (own + other)
    directions = work.study.heuristics.calibration.per_layer
    weights = layers * 2 * shape.d_mlp * shape.d_model * directions
    logits = flops.value_logit_flops(shape, layers * (own + other), work.max_number + 1)
    asked = [size.n_valid for size in work.sizes if size.n_valid]
    scored = min(work.study.heuristics.calibration.scored, own + other)
    rows = layers * (own + other) * assumed.NULL_ROW_BYTES
    rows += layers * 3 * scored * assumed.FLOAT_BYTES
    most = max((size.n_valid for size in work.sizes), default=0)
    batch = 2 * work.batch_rows(most) * layers * shape.d_mlp * 4
    return model_stage(
        work,
        "null_evidence",
        jobs=len(work.sizes),
        flops=sum(n * per_prompt + weights + logits for n in asked),
        disk_bytes=len(asked) * rows,
        array_bytes=work.weight_bytes
        + (layers * max(own, other) + COPIES * BLOCK) * most * 4
        + most * assumed.PROMPT_BYTES
        + batch,
        n_rows=most,
    )


def null_maps(work: Work) -> tuple[int, int]:
    """Null maps of a layer: of the model (without effect, directions), of its untrained twin."""
    count, d_mlp = work.study.heuristics.calibration.per_layer, work.shape.d_mlp
    others = d_mlp - min(work.study.neurons.per_layer, d_mlp)
    return min(count, -(-others // 2)) + count, min(count, d_mlp)


def calibrate_heuristics(work: Work) -> Stage:
    """Surrogates of every neuron, each compared with all heuristics, and the chains.

    Disk: a row for each neuron and link. Memory: the noise and its fields on the torus, a block of
    neurons' maps and the surrogates of one of them.
    """
    drawn, neurons = work.study.heuristics.calibration.surrogates, work.n_neurons
    draws = neurons * (drawn + 1) + DESIGN_DRAWS
    links = neurons * work.expected.links_per_neuron * assumed.LINK_ROW_BYTES
    asked = [size for size in work.sizes if size.n_valid]
    seconds = sum(places(work, s) * draws * assumed.SURROGATE_SECONDS for s in asked)
    most = max((size.n_valid for size in work.sizes), default=0)
    fields = TORUS_COPIES * drawn * round(TORUS * plane(work)) * 4
    return table_stage(
        "calibrate_heuristics",
        jobs=len(work.sizes),
        disk_bytes=len(asked) * (neurons * assumed.CALIBRATED_ROW_BYTES + links),
        array_bytes=fields + (NEURON_BLOCK * COPIES // 2 + drawn) * most * 4,
        seconds=seconds + chain_seconds(work),
    )


def chain_seconds(work: Work) -> float:
    """Time of the chains of all neurons, not tested."""
    all_places = sum(places(work, size) for size in work.sizes)
    return work.n_neurons * all_places * assumed.CHAIN_SECONDS


def places(work: Work, size: OperatorSizes) -> int:
    """What comparing one map with all heuristics grows with: its prompts and their plane."""
    return size.n_valid + plane(work) if size.n_valid else 0


def plane(work: Work) -> int:
    """Places of the picture over both operands."""
    prompts = work.study.prompts
    return int((min(prompts.max_operand, work.max_number + 1) - prompts.min_operand) ** 2)


def classify_neurons(work: Work) -> Stage:
    """A row for each neuron with its verdict, and the links of the classified ones."""
    rows = work.n_neurons * work.expected.classified_links_per_neuron
    neuron_bytes = assumed.CALIBRATED_ROW_BYTES + assumed.VERDICT_BYTES
    scored = table_stages.match_heuristics(work)
    return table_stage(
        "classify_neurons",
        jobs=len(work.sizes),
        disk_bytes=len(work.sizes)
        * (
            work.n_neurons * neuron_bytes
            + rows * assumed.CLASSIFIED_ROW_BYTES
            + NEURON_HEADER
            + CLASSIFIED_HEADER
        ),
        array_bytes=scored.memory_bytes - assumed.TABLE_LIBRARY_BYTES,
    )


def checkpoint_links_bytes(work: Work) -> float:
    """The links of one checkpoint's neurons, of all operators."""
    rows = len(work.sizes) * work.n_neurons * work.expected.checkpoint_links_per_neuron
    return rows * assumed.LINK_ROW_BYTES


def classify_checkpoints(work: Work) -> Stage:
    """The links of all checkpoints' neurons above the final model's cut, as CSV rows."""
    n, scored = len(work.checkpoints), table_stages.match_heuristics(work)
    rows = n * len(work.sizes) * work.n_neurons * work.expected.classified_checkpoint_links
    row = assumed.CLASSIFIED_ROW_BYTES + assumed.NAME_BYTES - 2 * assumed.FLOAT_BYTES
    return table_stage(
        "classify_checkpoints",
        jobs=min(n, 1),
        disk_bytes=rows * row + CHECKPOINT_HEADER * min(n, 1),
        array_bytes=scored.memory_bytes - assumed.TABLE_LIBRARY_BYTES,
    )
