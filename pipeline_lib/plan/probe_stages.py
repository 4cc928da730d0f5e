"""Cost of the probes for the answer. N sampled prompts; L layers, P positions, d_model D."""

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.sizes import OperatorSizes
from pipeline_lib.plan.stages import ITEM_BYTES, Stage, Work, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.probing.budget import chunk_shape, layer_bytes, layers_at_once
from pipeline_lib.stimuli.arithmetic import POSITIONS

VARIANTS = 3
ROW_BYTES = 90  # of the probe table as text
HEADER_BYTES = 74


def cache_residuals(work: Work) -> Stage:
    """One forward pass for each sampled prompt; resid_post [N, P, L, D] and the prompts on disk."""
    dtype, shape = work.study.activations.dtype, work.shape

    def file_bytes(size: OperatorSizes) -> int:
        n = n_probed(work, size)
        full = (n, len(POSITIONS), shape.n_layers, shape.d_model)
        residuals = Dataset(full, dtype, chunk_shape(full, ITEM_BYTES[dtype]))
        return artifact_bytes([residuals, *[Dataset((n,), "int64")] * 3], POSITIONS)

    probed = [n_probed(work, size) for size in work.sizes]
    kept = len(POSITIONS) * shape.n_layers * shape.d_model * 4
    return model_stage(
        work,
        "cache_residuals",
        jobs=len(work.sizes),
        flops=sum(probed) * work.forward,
        disk_bytes=sum(map(file_bytes, work.sizes)),
        array_bytes=2 * work.batch_rows(max(probed)) * kept,
        n_rows=max(probed),
    )


def probe_answers(work: Work) -> Stage:
    """A probe for each layer, position and variant: two products a training prompt and epoch.

    These are its logits and the gradient of its weights, 2 D numbers FLOPs each; a test prompt
    costs one. The model is not loaded.
    """
    settings, shape, n_numbers = work.study.probe, work.shape, work.max_number + 1
    n_probes = VARIANTS * shape.n_layers * len(POSITIONS)
    probed = [n_probed(work, size) for size in work.sizes]
    tested = [round(settings.test_share * n) for n in probed]
    products = sum(
        2 * settings.epochs * (n - n_test) + n_test
        for n, n_test in zip(probed, tested, strict=True)
    )
    sizes = (max(probed), len(POSITIONS), shape.d_model, n_numbers)
    held = min(shape.n_layers, layers_at_once(*sizes)) * layer_bytes(*sizes)
    return Stage(
        "probe_answers",
        jobs=len(work.sizes),
        flops=n_probes * products * 2 * shape.d_model * n_numbers,
        seconds=len(work.sizes) * assumed.START_SECONDS,
        memory_bytes=assumed.LIBRARY_BYTES + held,
        disk_bytes=len(work.sizes) * (HEADER_BYTES + n_probes * ROW_BYTES),
        gpus=work.gpus,
    )


def n_probed(work: Work, size: OperatorSizes) -> int:
    """Prompts of an operator that are probed."""
    return min(work.study.probe.prompts, size.n_valid)
