"""Plain hooks: what the engine is checked against, one patch in every forward pass.

The hooks of Hugging Face models here and those of TransformerLens share no code with
`pipeline_lib.interventions`: each records the counterfactual run, runs the model again and replaces
one component's activation at one position. Slow on purpose.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pipeline_lib.models.loading import LanguageModel

Recorded = Mapping[tuple[int, bool], Tensor]
"""By layer and "is it the MLP": z or mlp_post of a run, in the shape the hooks see."""


class PlainHooks(ABC):
    """A way to patch one component; components are heads, then the MLP (number ``n_heads``)."""

    label: ClassVar[str]
    n_heads: int

    @abstractmethod
    def logits(self, tokens: Int[Tensor, "row token"]) -> Float[Tensor, "row vocab"]:
        """Logits at the last position of an untouched run."""

    @abstractmethod
    def record(self, tokens: Int[Tensor, "row token"]) -> Recorded:
        """Activations of every layer, at all positions."""

    @abstractmethod
    def patch(
        self,
        tokens: Int[Tensor, "row token"],
        source: Tensor,
        layer: int,
        position: int,
        component: int,
    ) -> Float[Tensor, "row vocab"]:
        """Logits at the last position with one component's activation taken from ``source``.

        ``source`` is what was recorded at this layer, for the MLP or for the heads.
        """


class HuggingFaceHooks(PlainHooks):
    """Forward hooks of PyTorch on the inputs of a Hugging Face model's output projections."""

    label = "Hugging Face hooks"

    def __init__(self, model: LanguageModel) -> None:
        self.hf, self.device = model.hf, model.device
        self.n_heads, self.d_head = model.n_heads, model.d_head
        layers = range(model.n_layers)
        self.projections = {(layer, False): model.attention_outs[layer] for layer in layers}
        self.projections |= {(layer, True): model.mlp_outs[layer] for layer in layers}

    @torch.no_grad()
    def logits(self, tokens: Int[Tensor, "row token"]) -> Float[Tensor, "row vocab"]:
        return self.hf(input_ids=tokens.to(self.device), use_cache=False).logits[:, -1]

    def record(self, tokens: Int[Tensor, "row token"]) -> Recorded:
        seen: dict[tuple[int, bool], Tensor] = {}

        def keep(key: tuple[int, bool]) -> Callable[[Tensor], Tensor]:
            def read(x: Tensor) -> Tensor:
                seen[key] = x.clone()
                return x

            return read

        with replaced_inputs({part: keep(key) for key, part in self.projections.items()}):
            self.logits(tokens)
        return seen

    def patch(
        self,
        tokens: Int[Tensor, "row token"],
        source: Tensor,
        layer: int,
        position: int,
        component: int,
    ) -> Float[Tensor, "row vocab"]:
        is_mlp = component == self.n_heads
        start = component * self.d_head
        part = slice(None) if is_mlp else slice(start, start + self.d_head)

        def put(x: Tensor) -> Tensor:
            x = x.clone()
            x[:, position, part] = source[:, position, part]
            return x

        with replaced_inputs({self.projections[layer, is_mlp]: put}):
            return self.logits(tokens)


@contextmanager
def replaced_inputs(edits: Mapping[nn.Module, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Modules get what a function makes of their input, for the duration of a block."""

    def before(edit: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
        return lambda module, args: (edit(args[0]), *args[1:])

    handles = [part.register_forward_pre_hook(before(edit)) for part, edit in edits.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
