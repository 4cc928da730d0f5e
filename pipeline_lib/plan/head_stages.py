"""Cost of looking at heads, at numbers alone and at failures.

L layers, H heads, D = d_model, M = d_mlp, T tokens of a prompt, S sources, n numbers below
max_operand, W numbers in all.
"""

from pipeline_lib.plan import flops
from pipeline_lib.plan.stages import Stage, Work, model_stage, table_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.stimuli.arithmetic import POSITIONS

N_SOURCES = len(POSITIONS) + 1
PICTURE_BLOCK = 1 << 26
FAILURE_BYTES = 45  # what was measured, beside the prompt
FAILURE_HEADER = 58


def attention(work: Work) -> Stage:
    """Plain passes of sampled prompts and of all pairs of operands; each layer's patterns again.

    Disk: float32 patterns [N, L, H, S, S], float16 pictures [operator, L, H, S, a, b]. Memory: all
    patterns twice, or a block of pictures twice.
    """
    settings, shape, tokens = work.study.heads, work.shape, work.n_tokens
    sampled = sum(min(settings.prompts, size.n_evaluation) for size in work.sizes)
    operands = min(settings.operands, work.max_number + 1)
    pairs = len(work.sizes) * operands**2
    units = (shape.n_layers, shape.n_heads)
    patterns = Dataset((sampled, *units, N_SOURCES, N_SOURCES))
    plane = (operands, operands)
    rows = max(1, min(operands, PICTURE_BLOCK // (2 * shape.n_layers * shape.n_heads * N_SOURCES)))
    pictures = Dataset(
        (len(work.sizes), *units, N_SOURCES, *plane), "float16", (1, 1, 1, 1, *plane)
    )
    index = [Dataset((sampled,), "int64")] * 3
    return model_stage(
        work,
        "attention",
        jobs=1,
        flops=sampled * (work.forward + _pattern_flops(work, N_SOURCES, tokens))
        + pairs * (work.forward + _pattern_flops(work, 1, tokens)),
        disk_bytes=artifact_bytes([patterns, *index]) + artifact_bytes([pictures]),
        array_bytes=2 * max(patterns.n_bytes, min(pictures.n_bytes, PICTURE_BLOCK)),
        n_rows=max(sampled, rows * operands),
        layers_kept=shape.n_layers,
    )


def _pattern_flops(work: Work, n_queries: int, n_keys: int) -> int:
    """Keys and values of all tokens, some queries, and their products with all keys."""
    shape = work.shape
    queries = n_queries * (flops.query_flops(shape) + n_keys * flops.score_flops(shape) // 2)
    return shape.n_layers * (n_keys * flops.key_value_flops(shape) + queries)


def number_maps(work: Work) -> Stage:
    """OV maps [L, H, n, n] from the weights, and the first MLP [n, M] on n prompts of two tokens.

    An OV map puts n values through W_O of each head and reads n numbers; the values of one still
    row are those of the biases.
    """
    shape, n = work.shape, min(work.study.prompts.max_operand, work.max_number + 1)
    written = 2 * n * shape.n_heads * shape.d_head * shape.d_model
    read = 2 * shape.n_heads * n * shape.d_model * n
    values = (n + 1) * (flops.key_value_flops(shape) + flops.query_flops(shape))
    ov = Dataset((shape.n_layers, shape.n_heads, n, n), "float16", (1, 1, n, n))
    mlp0 = Dataset((n, shape.d_mlp))
    return model_stage(
        work,
        "number_maps",
        jobs=1,
        flops=shape.n_layers * (values + written + read) + n * flops.forward_flops(shape, 2),
        disk_bytes=artifact_bytes([ov]) + artifact_bytes([mlp0]),
        array_bytes=shape.n_heads * n * (4 * (n + shape.d_model) + 2 * n),
        n_rows=n,
    )


def mlp_vectors(work: Work) -> Stage:
    """Each neuron's key vectors on all numbers; a pass of sampled prompts and its last MLP.

    Disk: float32 [neurons, W] a projection and operator, mlp_out [N, D].
    """
    shape, n_numbers = work.shape, work.max_number + 1
    projections = 2 if shape.gated_mlp else 1
    sampled = sum(min(work.study.embeddings.prompts, s.n_evaluation) for s in work.sizes)
    key = Dataset((work.n_neurons, n_numbers))
    rows = [Dataset((work.n_neurons,), "int64")] * 2
    outputs = [Dataset((sampled, shape.d_model)), *[Dataset((sampled,), "int64")] * 4]
    keys = len(work.sizes) * projections * work.n_neurons * 2 * shape.d_model * n_numbers
    return model_stage(
        work,
        "mlp_vectors",
        jobs=1,
        flops=keys + sampled * (work.forward + flops.mlp_out_flops(shape)),
        disk_bytes=len(work.sizes) * artifact_bytes([key] * projections + rows)
        + artifact_bytes(outputs),
        array_bytes=projections * 2 * key.n_bytes + 2 * outputs[0].n_bytes,
        n_rows=sampled,
    )


def failure_modes(work: Work) -> Stage:
    """Right and wrong prompts as CSV rows; the maps are read a neuron at a time.

    As everywhere in the plan all prompts are answered right: wrong ones are not counted.
    """
    asked = [min(work.study.failures.prompts, size.n_valid) for size in work.sizes]
    rows = sum(
        n * (size.labelled_bytes + FAILURE_BYTES) for n, size in zip(asked, work.sizes, strict=True)
    )
    return table_stage(
        "failure_modes",
        jobs=len(work.sizes),
        disk_bytes=rows + len(work.sizes) * FAILURE_HEADER,
        array_bytes=work.n_neurons * (work.max_number + 1) * 4,
    )
