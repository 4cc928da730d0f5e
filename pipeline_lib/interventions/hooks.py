"""Hooks on a model's sites: z, mlp_post and resid_post; the one place that registers them.

z is the input of the attention's output projection, split by heads; mlp_post is the input of the
MLP's output projection (after the product with the up-projection in gated MLPs); resid_post is the
output of a decoder layer, that of layer -1 what enters the first one. An edit gets the site's
tensor and returns its replacement, or None to leave it alone.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pipeline_lib.errors import ActivationError
from pipeline_lib.models.loading import LanguageModel

Site = Literal["z", "mlp_post", "resid_post"]
SITES: tuple[Site, ...] = ("z", "mlp_post", "resid_post")

EMBEDDED = -1
"""The layer whose resid_post is the embedding, as it enters the first layer."""

Edit = Callable[[Tensor], Tensor | None]


@dataclass(frozen=True)
class Hook:
    """One edit of a module's first input or of its output."""

    module: nn.Module
    side: Literal["input", "output"]
    edit: Edit

    def register(self) -> RemovableHandle:
        """Attach the edit to the module; the handle removes it."""
        if self.side == "input":
            return self.module.register_forward_pre_hook(self._before)
        return self.module.register_forward_hook(self._after)

    def _before(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        edited = self.edit(args[0])
        return None if edited is None else (edited, *args[1:])

    def _after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        # some decoder layers return (hidden states, attention weights), others only the former
        first = output[0] if isinstance(output, tuple) else output
        edited = self.edit(first)
        if edited is None:
            return None
        return (edited, *output[1:]) if isinstance(output, tuple) else edited


@contextmanager
def hooked(hooks: Iterable[Hook]) -> Iterator[None]:
    """Register hooks for the duration of a block; they are removed whatever happens in it."""
    handles: list[RemovableHandle] = []
    try:
        for hook in hooks:
            handles.append(hook.register())
        yield
    finally:
        for handle in handles:
            handle.remove()


def on_site(model: LanguageModel, site: Site, layer: int, edit: Edit) -> Hook:
    """Hook of one site of one layer; the edit sees z as [row pos head d_head]."""
    if site == "mlp_post":
        return Hook(model.mlp_outs[layer], "input", edit)
    if site == "resid_post" and layer == EMBEDDED:
        return Hook(model.layers[0], "input", edit)
    if site == "resid_post":
        return Hook(model.layers[layer], "output", edit)

    def edit_heads(x: Tensor) -> Tensor | None:
        edited = edit(x.unflatten(-1, (model.n_heads, model.d_head)))
        return None if edited is None else edited.flatten(-2)

    return Hook(model.attention_outs[layer], "input", edit_heads)


def last_logits(
    model: LanguageModel, tokens: Int[Tensor, "row token"]
) -> Float[Tensor, "row vocab"]:
    """Logits at the last position, in float32 (float64 for a float64 model), on their device."""
    output = model.hf(input_ids=tokens.to(model.device), use_cache=False, logits_to_keep=1)
    return output.logits[:, -1].to(metric_dtype(model))


def metric_dtype(model: LanguageModel) -> torch.dtype:
    """Type in which results are kept: float32, or float64 for a float64 model."""
    return torch.float64 if model.dtype == torch.float64 else torch.float32


def check_finite(values: Float[Tensor, "..."], where: str) -> None:
    """Raise ActivationError naming ``where`` when ``values`` hold NaN or infinite entries."""
    # one pass over the values where the sum is finite, as it is unless one is not or all are huge
    if math.isfinite(values.sum()):
        return
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        raise ActivationError(
            "The model produced NaN or infinite values.",
            where=where,
            value=f"{int((~finite).sum())} of {values.numel()} entries",
            hint="Use a wider dtype (float32 or bfloat16 instead of float16), or check the model's "
            "weights.",
        )
