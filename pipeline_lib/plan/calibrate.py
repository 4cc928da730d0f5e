"""Throughput of this machine on matrix products of a model's sizes."""

import time

from pipeline_lib.plan.flops import token_flops
from pipeline_lib.plan.planning import ModelPlan
from pipeline_lib.plan.report import Throughput, ThroughputOf

SECONDS = 10.0


def measured_throughput(plans: list[ModelPlan], seconds: float = SECONDS) -> ThroughputOf:
    """Throughput of each model, ``seconds`` of measurement in all; equal shapes share one."""
    keys = {(plan.shape, plan.work.dtype, plan.work.gpus > 0): plan for plan in plans}
    share = seconds / max(len(keys), 1)
    rates = {key: measure(plan, share) for key, plan in keys.items()}
    return lambda plan: rates[plan.shape, plan.work.dtype, plan.work.gpus > 0]


def measure(plan: ModelPlan, seconds: float) -> Throughput:
    """Throughput on the products of one layer, as many rows at once as the engine runs.

    On the GPU for a model that asks for one where there is one; else on one processor core.
    """
    import torch

    work, shape = plan.work, plan.shape
    device = "cuda" if work.gpus and torch.cuda.is_available() else "cpu"
    rows = work.batch_rows(10**6) * work.n_tokens
    heads, keys = shape.n_heads * shape.d_head, shape.n_kv_heads * shape.d_head
    sizes = [(shape.d_model, heads), (heads, shape.d_model), *[(shape.d_model, keys)] * 2]
    sizes += [(shape.d_model, shape.d_mlp)] * (2 if shape.gated_mlp else 1)
    sizes += [(shape.d_mlp, shape.d_model)]
    kind = {"dtype": getattr(torch, work.dtype), "device": device}
    weights = [torch.full(size, 0.01, **kind) for size in sizes]
    inputs = {width: torch.full((rows, width), 0.01, **kind) for width, _ in sizes}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        done, elapsed = 0, 0.0
        start = time.perf_counter()
        while elapsed < seconds:
            for weight in weights:
                inputs[weight.shape[0]] @ weight
            if device == "cuda":
                torch.cuda.synchronize()
            done, elapsed = done + 1, time.perf_counter() - start
    finally:
        torch.set_num_threads(threads)
    tflops = done * rows * token_flops(shape) / elapsed / 1e12
    return Throughput(tflops, device == "cuda", "measured here")
