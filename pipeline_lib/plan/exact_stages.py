"""Cost of patching single neurons at the last position. N prompt pairs; L layers, M neurons."""

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import flops
from pipeline_lib.plan.sizes import OperatorSizes
from pipeline_lib.plan.stages import ITEM_BYTES, Stage, Work, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes

STRATA = 3
STRATUM_NAMES = ("top", "middle", "random", "all")
LISTED_BYTES, LISTED = 100, 1 << 20  # a patch in a list with its results; patches in one list


def exact_neurons(work: Work) -> Stage:
    """Patches of n neurons a layer in N pairs for each attribution seed, and two estimates.

    Disk: the exact effects (float64 and float32) and the estimates [N, n L]; four columns of the
    neurons. Memory: mlp_post of clean and counterfactual runs, a pass of patches, the effects.
    """
    study, shape = work.study, work.shape
    n_seeds = len(study.attribution.seeds)
    patched = shape.n_layers * patched_per_layer(work)
    asked = {size: min(study.exact.prompts, size.n_discovery) for size in work.sizes}
    most = max(asked.values())
    per_pair = neuron_patches_flops(work) + estimate_flops(work)

    def file_bytes(size: OperatorSizes) -> int:
        n = asked[size] * n_seeds
        effects = [Dataset((n, patched), "float64"), *[Dataset((n, patched))] * 3]
        columns = [Dataset((patched,), "int64")] * 4
        index = [Dataset((n,), "int64"), Dataset((2,), "int64")]
        return artifact_bytes([*effects, *columns, *index], STRATUM_NAMES)

    held = max(size.n_discovery for size in work.sizes) * work.n_tokens * shape.d_mlp
    kept = most * (2 * held // max(1, most) * shape.n_layers * 4 + n_seeds * patched * 8 * 6)
    listed = min(LISTED, most * patched)
    row = ITEM_BYTES[work.dtype] * (8 * shape.d_model + 3 * shape.d_mlp)
    return model_stage(
        work,
        "exact_neurons",
        jobs=len(work.sizes),
        flops=n_seeds * sum(asked.values()) * per_pair,
        disk_bytes=sum(map(file_bytes, work.sizes)),
        array_bytes=kept + listed * LISTED_BYTES + min(assumed.BATCH_BYTES, listed * row),
        n_rows=most * study.attribution.steps,
        layers_kept=3 * shape.n_layers,
    )


def patched_per_layer(work: Work) -> int:
    """Neurons of a layer that are patched; all where the strata cover them."""
    asked = work.study.patched_neurons
    return work.shape.d_mlp if asked == "all" else min(work.shape.d_mlp, STRATA * asked)


def ranking_flops(work: Work) -> int:
    """What ranks the neurons of a model without cached activations, where all are patched."""
    n_seeds = len(work.study.attribution.seeds)
    asked = sum(min(work.study.exact.prompts, size.n_discovery) for size in work.sizes)
    return n_seeds * asked * (work.forward + neuron_patches_flops(work))


def neuron_patches_flops(work: Work) -> int:
    """One prompt: its clean run, and the layers above each patch at the last position."""
    last = work.n_tokens - 1
    above = sum(
        flops.suffix_flops(work.shape, work.n_tokens, layer, last, "mlp")
        for layer in range(work.shape.n_layers)
    )
    return work.forward + patched_per_layer(work) * above


def estimate_flops(work: Work) -> int:
    """One pair: a gradient with respect to every MLP, and `steps` for each layer."""
    shape, n = work.shape, work.n_tokens
    backward = [
        flops.backward_flops(shape, n, layer, "mlp_post") for layer in range(shape.n_layers)
    ]
    steps = work.study.attribution.steps
    integrated = sum(steps * (work.forward + each) for each in backward)
    return work.forward + backward[0] + integrated
