"""Plain hooks of TransformerLens. Its import takes seconds, so only the self-test brings it in."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.verification.plain import PlainHooks, Recorded

LABEL = "TransformerLens hooks"


class LensUnavailableError(Exception):
    """TransformerLens cannot wrap the model; the message is its reason, on one line."""


class TransformerLensHooks(PlainHooks):
    """`hook_z` and `hook_post` of a TransformerBridge, which takes the model over for good."""

    label = LABEL

    def __init__(self, model: LanguageModel) -> None:
        from transformer_lens.model_bridge import TransformerBridge

        self.n_heads, self.n_layers, self.device = model.n_heads, model.n_layers, model.device
        # boot_transformers is attached when the package is imported; no hub, the model is given
        self.bridge = TransformerBridge.boot_transformers(
            model.hf.name_or_path or model.name,
            hf_model=model.hf,
            tokenizer=model.tokenizer,
            device=model.device,
            dtype=model.dtype,
        )

    @classmethod
    def wrap(cls, model: LanguageModel, tokens: Int[Tensor, "row token"]) -> "TransformerLensHooks":
        """Wrap a model that nobody else uses, and try it on some tokens.

        Raises LensUnavailableError when TransformerLens does not know the architecture, cannot
        wrap this version of it, or has no hooks where they are needed.
        """
        try:
            hooks = cls(model)
            found = hooks.record(tokens)
        except Exception as error:  # whatever goes wrong in there is a reason, not our failure
            lines = str(error).strip().splitlines() or [""]
            raise LensUnavailableError(f"{type(error).__name__}: {lines[0]}"[:200]) from error
        shapes = {False: (model.n_heads, model.d_head), True: (model.d_mlp,)}
        for (layer, is_mlp), values in found.items():
            if tuple(values.shape) != (*tokens.shape, *shapes[is_mlp]):
                name, shape = hook_name(layer, is_mlp=is_mlp), tuple(values.shape)
                raise LensUnavailableError(f"{name} has the shape {shape}")
        return hooks

    @torch.no_grad()
    def logits(self, tokens: Int[Tensor, "row token"]) -> Float[Tensor, "row vocab"]:
        return self.bridge(tokens.to(self.device))[:, -1]

    @torch.no_grad()
    def record(self, tokens: Int[Tensor, "row token"]) -> Recorded:
        sites = [(layer, is_mlp) for layer in range(self.n_layers) for is_mlp in (False, True)]
        names = {site: hook_name(site[0], is_mlp=site[1]) for site in sites}
        chosen = list(names.values())
        _, cache = self.bridge.run_with_cache(tokens.to(self.device), names_filter=chosen)
        return {site: cache[name] for site, name in names.items()}

    @torch.no_grad()
    def patch(
        self,
        tokens: Int[Tensor, "row token"],
        source: Tensor,
        layer: int,
        position: int,
        component: int,
    ) -> Float[Tensor, "row vocab"]:
        is_mlp = component == self.n_heads
        unit = () if is_mlp else (component,)

        def put(x: Tensor, hook: object) -> Tensor:
            x[:, position, *unit] = source[:, position, *unit]
            return x

        hooks: list[tuple[str | Callable[..., Any], Callable[..., Any]]] = [
            (hook_name(layer, is_mlp=is_mlp), put)
        ]
        return self.bridge.run_with_hooks(tokens.to(self.device), fwd_hooks=hooks)[:, -1]


def hook_name(layer: int, *, is_mlp: bool) -> str:
    """Name of a hook point in TransformerLens."""
    return f"blocks.{layer}.{'mlp.hook_post' if is_mlp else 'attn.hook_z'}"
