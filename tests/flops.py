"""FLOPs as torch counts them while a function runs, attention on the CPU included."""

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count


def _attention(query, key, value, *args, out_shape=None, **kwargs):
    return sdpa_flop_count(query, key, value)


def _attention_backward(gradient, query, key, value, *args, out_shape=None, **kwargs):
    return sdpa_backward_flop_count(gradient, query, key, value)


# torch knows these kernels on the GPU only
ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def counted(function, *args, **kwargs):
    """FLOPs of the matrix products of one call."""
    with FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter:
        function(*args, **kwargs)
    return counter.get_total_flops()
