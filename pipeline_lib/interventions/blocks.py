"""One decoder layer taken apart, so that only what changed is computed again.

The weights, norms and MLPs are the model's own modules. Attention is written out, because no
library call takes queries of some positions, keys of others and stops after the last position.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pipeline_lib.models.loading import LanguageModel

Resid = Float[Tensor, "row pos d_model"]
Queried = Float[Tensor, "row query d_model"]  # all positions of the suffix, or its last alone
Queries = Float[Tensor, "row query head d_head"]
Keys = Float[Tensor, "row pos kv_head d_head"]
Before = Float[Tensor, "row kv_head before d_head"]
Cached = Float[Tensor, "row kv_head token d_head"]


@dataclass(frozen=True)
class Suffix:
    """The positions from ``start`` on of a prompt: their angles and what they may see."""

    start: int
    mask: Float[Tensor, "pos token"]
    cos: Float[Tensor, "pos 1 rotated"] | None
    sin: Float[Tensor, "pos 1 rotated"] | None

    @classmethod
    def of(cls, model: LanguageModel, start: int, n_tokens: int) -> "Suffix":
        """Positions ``start`` to ``n_tokens - 1``; position i sees the tokens up to itself."""
        positions = torch.arange(start, n_tokens, device=model.device)
        hidden = torch.arange(n_tokens, device=model.device) > positions[:, None]
        mask = torch.zeros(hidden.shape, device=model.device, dtype=model.dtype)
        return cls(start, mask.masked_fill(hidden, -torch.inf), *_angles(model, positions))

    def to(self, device: torch.device) -> "Suffix":
        """The same on another device."""
        if self.mask.device == device or self.cos is None or self.sin is None:
            return Suffix(self.start, self.mask.to(device), self.cos, self.sin)
        moved = (values.to(device) for values in (self.mask, self.cos, self.sin))
        return Suffix(self.start, *moved)


def _angles(
    model: LanguageModel, positions: Int[Tensor, " pos"]
) -> tuple[Float[Tensor, "pos 1 rotated"] | None, Float[Tensor, "pos 1 rotated"] | None]:
    """Cosines and sines of the rotary angles at some positions, None without rotation."""
    if model.arch.rotary is None:
        return None, None
    if model.arch.rotary == "pairs":
        attention = model.layer(0).get_submodule(model.arch.attention)
        table: Tensor = attention.embed_positions  # type: ignore[assignment]
        angles = table.to(positions.device)[positions].to(model.dtype).repeat_interleave(2, -1)
        sin, cos = angles.chunk(2, -1)
        return cos[:, None], sin[:, None]
    rotary = model.hf.get_submodule(model.arch.rotary_module)
    cos, sin = rotary(torch.empty(0, device=model.device, dtype=model.dtype), positions[None])
    return cos[0, :, None], sin[0, :, None]


class Block:
    """Decoder layer ``index`` of a model, in the steps a suffix pass needs."""

    def __init__(self, model: LanguageModel, index: int) -> None:
        layer, arch = model.layer(index), model.arch
        self.arch = arch
        self.parallel = model.shape.parallel_residual
        self.attention = layer.get_submodule(arch.attention)
        self.attention_norm = layer.get_submodule(arch.attention_norm)
        self.attention_out = model.attention_out(index)
        self.projections = [self.attention.get_submodule(name) for name in arch.projections]
        self.mlp = layer.get_submodule(arch.mlp)
        self.mlp_norm = layer.get_submodule(arch.mlp_norm)
        self.n_heads, self.d_head = model.n_heads, model.d_head
        self.scale: float = getattr(self.attention, "scaling", model.d_head**-0.5)
        self.device = next(self.attention_out.parameters()).device

    def advance(
        self, resid: Resid, suffix: Suffix, before: tuple[Before, Before], *, last_only: bool
    ) -> Queried:
        """Residual leaving the layer from the residual entering it, at the suffix's positions.

        ``before`` holds keys (rotated) and values of the positions before the suffix.
        ``last_only`` computes the last position alone, for the model's last layer.
        """
        attended = self.attend(self.attention_norm(resid), suffix, before, last_only=last_only)
        resid = resid[:, -1:] if last_only else resid
        if self.parallel:
            return self.mlp(self.mlp_norm(resid)).add_(attended).add_(resid)
        return self.finish(attended.add_(resid))

    def finish(self, mid: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        """What leaves a sequential layer: mid + MLP(norm(mid))."""
        return self.mlp(self.mlp_norm(mid)).add_(mid)

    def attend(
        self, normed: Resid, suffix: Suffix, before: tuple[Before, Before], *, last_only: bool
    ) -> Queried:
        """What attention adds to the residual: softmax(q k^T / sqrt(d) + mask) v through W_O."""
        queries, *fresh = self.project(normed, suffix, last_only=last_only)
        mask = None if last_only else suffix.mask
        mixed = self.mix(queries, *self.extended(before, fresh), mask)
        written: Queried = self.attention_out(mixed.flatten(2))
        return written

    def project(
        self, normed: Resid, suffix: Suffix, *, last_only: bool = False
    ) -> tuple[Queries, Keys, Keys]:
        """Queries, keys and values of the suffix, rotated; queries of the last position alone."""
        first = -1 if last_only else 0
        queries, keys, values = self._split(normed, first)
        if suffix.cos is None or suffix.sin is None:
            return queries, keys, values
        return (
            self._rotate(queries, suffix.cos[first:], suffix.sin[first:]),
            self._rotate(keys, suffix.cos, suffix.sin),
            values,
        )

    @staticmethod
    def extended(before: tuple[Before, Before], fresh: Sequence[Keys]) -> tuple[Cached, Cached]:
        """Keys and values of all tokens: those before the suffix, then those of the suffix."""
        keys, values = (
            torch.cat([old, new.transpose(1, 2)], 2) for old, new in zip(before, fresh, strict=True)
        )
        return keys, values

    def mix(
        self,
        queries: Queries,
        keys: Cached,
        values: Cached,
        mask: Float[Tensor, "query token"] | None,
    ) -> Queries:
        """What every query reads (z); heads that share keys go through one matrix product."""
        n_kv = keys.shape[1]
        group = self.n_heads // n_kv
        n_pos = queries.shape[1]
        grouped = queries.unflatten(2, (n_kv, group)).permute(0, 2, 3, 1, 4).flatten(2, 3)
        exact = self.arch.scores_in_float32 or values.dtype.itemsize == 2
        dtype = torch.float32 if exact else values.dtype
        scores = (grouped.to(dtype) @ keys.to(dtype).transpose(2, 3)).mul_(self.scale)
        if mask is not None:
            scores.unflatten(2, (group, n_pos)).add_(mask)
        z = scores.softmax(-1).to(values.dtype) @ values
        return z.unflatten(2, (group, n_pos)).permute(0, 3, 1, 2, 4).flatten(2, 3)

    def _split(self, normed: Resid, first: int) -> tuple[Queries, Keys, Keys]:
        if self.arch.fused is None:
            sources = (normed[:, first:], normed, normed)
            each = [project(x) for project, x in zip(self.projections, sources, strict=True)]
            queries, keys, values = (x.unflatten(-1, (-1, self.d_head)) for x in each)
            return self._norm_heads("q_norm", queries), self._norm_heads("k_norm", keys), values
        by_head = self.arch.fused == "by_head"
        shape = (self.n_heads, 3, self.d_head) if by_head else (3, self.n_heads, self.d_head)
        every = self.projections[0](normed).unflatten(-1, shape)
        queries, keys, values = every.unbind(-2 if by_head else -3)
        return queries[:, first:], keys, values

    def _norm_heads(
        self, name: str, heads: Float[Tensor, "row pos head d_head"]
    ) -> Float[Tensor, "row pos head d_head"]:
        """Some Llama-likes (Qwen3) normalise queries and keys head by head."""
        norm: nn.Module | None = getattr(self.attention, name, None)
        return heads if norm is None else norm(heads)

    def _rotate(
        self,
        x: Float[Tensor, "row pos head d_head"],
        cos: Float[Tensor, "pos 1 rotated"],
        sin: Float[Tensor, "pos 1 rotated"],
    ) -> Float[Tensor, "row pos head d_head"]:
        width = cos.shape[-1]
        turned, rest = x[..., :width], x[..., width:]
        if self.arch.rotary == "pairs":
            crossed = torch.stack([-turned[..., 1::2], turned[..., ::2]], -1).flatten(-2)
        else:
            crossed = torch.cat([-turned[..., width // 2 :], turned[..., : width // 2]], -1)
        rotated = (turned * cos).addcmul_(crossed, sin)
        return torch.cat([rotated, rest], -1) if rest.shape[-1] else rotated
