"""One decoder layer taken apart, so that only what changed is computed again.

The weights, norms and MLPs are the model's own modules. Attention is written out, because no
library call takes queries of some positions, keys of others and stops after the last position.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

from pipeline_lib.models.loading import LanguageModel

Entries = Float[Tensor, "entry d_model"]
"""Rows of a pass, each at the positions of its suffix; the rows of one start lie together."""
Queried = Float[Tensor, "query d_model"]  # every entry, or the last position of every row
Queries = Float[Tensor, "*query head d_head"]
Keys = Float[Tensor, "*entry kv_head d_head"]
Heads = Float[Tensor, "*any_entry any_head d_head"]
Before = Float[Tensor, "row kv_head before d_head"]
Cached = Float[Tensor, "row kv_head token d_head"]
Angles = Float[Tensor, "any_entry 1 rotated"]

SHORT = 32  # tokens


@dataclass(frozen=True)
class Suffix:
    """The positions from ``start`` on of a prompt: their angles and what they may see."""

    start: int
    mask: Float[Tensor, "pos token"]  # 0 where a position sees a token, else -inf
    cos: Float[Tensor, "pos 1 rotated"] | None
    sin: Float[Tensor, "pos 1 rotated"] | None

    @classmethod
    def of(cls, model: LanguageModel, start: int, n_tokens: int) -> "Suffix":
        """Positions ``start`` to ``n_tokens - 1``; position i sees the tokens up to itself."""
        positions = torch.arange(start, n_tokens, device=model.device)
        hidden = torch.arange(n_tokens, device=model.device) > positions[:, None]
        mask = torch.zeros(hidden.shape, device=model.device, dtype=model.dtype)
        return cls(start, mask.masked_fill(hidden, -torch.inf), *_angles(model, positions))

    @property
    def n_positions(self) -> int:
        """Positions of the suffix."""
        return len(self.mask)

    def to(self, device: torch.device) -> "Suffix":
        """The same on another device."""
        if self.mask.device == device:
            return self
        moved = (x if x is None else x.to(device) for x in (self.cos, self.sin))
        return Suffix(self.start, self.mask.to(device), *moved)


@dataclass(frozen=True)
class Part:
    """Rows of one start, with keys (rotated) and values of the positions before their suffix."""

    n_rows: int
    suffix: Suffix
    before: tuple[Before, Before]

    @property
    def n_entries(self) -> int:
        """Rows times positions."""
        return self.n_rows * self.suffix.n_positions


def _angles(
    model: LanguageModel, positions: Int[Tensor, " pos"]
) -> tuple[Float[Tensor, "pos 1 rotated"] | None, Float[Tensor, "pos 1 rotated"] | None]:
    """Cosines and sines of the rotary angles at some positions, None without rotation."""
    if model.arch.rotary is None:
        return None, None
    if model.arch.rotary == "pairs":
        attention = model.layers[0].get_submodule(model.arch.attention)
        table: Tensor = attention.embed_positions  # type: ignore[assignment]
        angles = table.to(positions.device)[positions].to(model.dtype).repeat_interleave(2, -1)
        sin, cos = angles.chunk(2, -1)
        return cos[:, None], sin[:, None]
    rotary = model.hf.get_submodule(model.arch.rotary_module)
    cos, sin = rotary(torch.empty(0, device=model.device, dtype=model.dtype), positions[None])
    return cos[0, :, None], sin[0, :, None]


def _softmax(scores: Float[Tensor, "*batch query token"]) -> Float[Tensor, "*batch query token"]:
    """Softmax over tokens; a CPU computes short rows ten times faster side by side."""
    if scores.device.type != "cpu" or scores.shape[-1] > SHORT:
        return scores.softmax(-1)
    return scores.movedim(-1, 0).contiguous().softmax(0).movedim(0, -1)


def _all_angles(parts: Sequence[Part]) -> tuple[Angles | None, Angles | None]:
    """Cosines and sines for every entry of the parts."""
    tables = [(part.n_rows, part.suffix.cos, part.suffix.sin) for part in parts]
    cos = [c.repeat(n, 1, 1) for n, c, _ in tables if c is not None]
    sin = [s.repeat(n, 1, 1) for n, _, s in tables if s is not None]
    return (torch.cat(cos), torch.cat(sin)) if cos else (None, None)


def _last_entries(parts: Sequence[Part]) -> Int64[Tensor, " row"]:
    """Numbers of the entries at the last position, one a row."""
    lengths = torch.cat([torch.full((p.n_rows,), p.suffix.n_positions) for p in parts])
    return lengths.cumsum(0) - 1


class Block:
    """Decoder layer ``index`` of a model, in the steps a suffix pass needs."""

    def __init__(self, model: LanguageModel, index: int) -> None:
        layer, arch = model.layers[index], model.arch
        self.arch = arch
        self.parallel = model.shape.parallel_residual
        self.attention = layer.get_submodule(arch.attention)
        self.attention_norm = layer.get_submodule(arch.attention_norm)
        self.attention_out = model.attention_outs[index]
        self.projections = [self.attention.get_submodule(name) for name in arch.projections]
        self.mlp = layer.get_submodule(arch.mlp)
        self.mlp_norm = layer.get_submodule(arch.mlp_norm)
        self.n_heads, self.d_head = model.n_heads, model.d_head
        self.scale: float = getattr(self.attention, "scaling", model.d_head**-0.5)
        self.device = next(self.attention_out.parameters()).device

    def advance(self, resid: Entries, parts: Sequence[Part], *, last_only: bool) -> Queried:
        """Residual leaving the layer from the residual entering it, for the rows of all parts.

        ``last_only`` computes each row's last position alone, for the model's last layer.
        """
        asking = _last_entries(parts).to(resid.device) if last_only else None
        attended = self.attend(self.attention_norm(resid), parts, asking)
        resid = resid if asking is None else resid[asking]
        if self.parallel:
            return self.mlp(self.mlp_norm(resid)).add_(attended).add_(resid)
        return self.finish(attended.add_(resid))

    def finish(self, mid: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        """What leaves a sequential layer: mid + MLP(norm(mid))."""
        return self.mlp(self.mlp_norm(mid)).add_(mid)

    def attend(
        self, normed: Entries, parts: Sequence[Part], asking: Int64[Tensor, " query"] | None
    ) -> Queried:
        """What attention adds to the residual: softmax(q k^T / sqrt(d) + mask) v through W_O."""
        queries, keys, values = self.project(normed, *_all_angles(parts), asking=asking)
        n_entries = [part.n_entries for part in parts]
        n_queries = n_entries if asking is None else [part.n_rows for part in parts]
        split = zip(
            parts,
            queries.split(n_queries),
            keys.split(n_entries),
            values.split(n_entries),
            strict=True,
        )
        mixed = []
        for part, *heads in split:
            query, *fresh = (x.unflatten(0, (part.n_rows, -1)) for x in heads)
            mask = part.suffix.mask if asking is None else None
            z = self.mix(query, *self.extended(part.before, fresh), mask)
            mixed.append(z.flatten(0, 1).flatten(1))
        written: Queried = self.attention_out(mixed[0] if len(mixed) == 1 else torch.cat(mixed))
        return written

    def project(
        self,
        normed: Float[Tensor, "*entry d_model"],
        cos: Angles | None,
        sin: Angles | None,
        *,
        asking: Int64[Tensor, " query"] | None = None,
    ) -> tuple[Queries, Keys, Keys]:
        """Queries, keys and values, rotated; queries of the entries ``asking`` alone, if given."""
        queries, keys, values = self._split(normed, asking)
        if cos is None or sin is None:
            return queries, keys, values
        chosen = (cos, sin) if asking is None else (cos[asking], sin[asking])
        return self._rotate(queries, *chosen), self._rotate(keys, cos, sin), values

    @staticmethod
    def extended(
        before: tuple[Before, Before],
        fresh: Sequence[Float[Tensor, "row pos kv_head d_head"]],
    ) -> tuple[Cached, Cached]:
        """Keys and values of all tokens: those before the suffix, then those of the suffix."""
        keys, values = (
            torch.cat([old, new.transpose(1, 2)], 2) for old, new in zip(before, fresh, strict=True)
        )
        return keys, values

    def mix(
        self,
        queries: Float[Tensor, "row query head d_head"],
        keys: Cached,
        values: Cached,
        mask: Float[Tensor, "query token"] | None,
    ) -> Float[Tensor, "row query head d_head"]:
        """What every query reads (z); heads that share keys go through one matrix product."""
        n_kv, n_pos = keys.shape[1], queries.shape[1]
        group = self.n_heads // n_kv
        z = self._weights(queries, keys, mask).to(values.dtype) @ values
        return z.unflatten(2, (group, n_pos)).permute(0, 3, 1, 2, 4).flatten(2, 3)

    def pattern(
        self,
        queries: Float[Tensor, "row query head d_head"],
        keys: Cached,
        mask: Float[Tensor, "query token"] | None,
    ) -> Float[Tensor, "row head query token"]:
        """How much every query attends to every token: softmax(q k^T / sqrt(d) + mask)."""
        return self._weights(queries, keys, mask).unflatten(2, (-1, queries.shape[1])).flatten(1, 2)

    def _weights(
        self,
        queries: Float[Tensor, "row query head d_head"],
        keys: Cached,
        mask: Float[Tensor, "query token"] | None,
    ) -> Float[Tensor, "row kv_head grouped token"]:
        """Attention weights; the heads and positions that share keys side by side, by head."""
        n_kv, n_pos = keys.shape[1], queries.shape[1]
        group = self.n_heads // n_kv
        grouped = queries.unflatten(2, (n_kv, group)).permute(0, 2, 3, 1, 4).flatten(2, 3)
        exact = self.arch.scores_in_float32 or keys.dtype.itemsize == 2
        dtype = torch.float32 if exact else keys.dtype
        scores = (grouped.to(dtype) @ keys.to(dtype).transpose(2, 3)).mul_(self.scale)
        if mask is not None:
            scores.unflatten(2, (group, n_pos)).add_(mask)
        return _softmax(scores)

    def _split(
        self, normed: Float[Tensor, "*entry d_model"], asking: Int64[Tensor, " query"] | None
    ) -> tuple[Queries, Keys, Keys]:
        if self.arch.fused is None:
            sources = (normed if asking is None else normed[asking], normed, normed)
            each = [project(x) for project, x in zip(self.projections, sources, strict=True)]
            queries, keys, values = (x.unflatten(-1, (-1, self.d_head)) for x in each)
            return self._norm_heads("q_norm", queries), self._norm_heads("k_norm", keys), values
        by_head = self.arch.fused == "by_head"
        shape = (self.n_heads, 3, self.d_head) if by_head else (3, self.n_heads, self.d_head)
        every = self.projections[0](normed).unflatten(-1, shape)
        queries, keys, values = every.unbind(-2 if by_head else -3)
        return queries if asking is None else queries[asking], keys, values

    def _norm_heads(self, name: str, heads: Heads) -> Heads:
        """Some Llama-likes (Qwen3) normalise queries and keys head by head."""
        norm: nn.Module | None = getattr(self.attention, name, None)
        return heads if norm is None else norm(heads)

    def _rotate(self, x: Heads, cos: Angles, sin: Angles) -> Heads:
        width = cos.shape[-1]
        turned, rest = x[..., :width], x[..., width:]
        if self.arch.rotary == "pairs":
            crossed = torch.stack([-turned[..., 1::2], turned[..., ::2]], -1).flatten(-2)
        else:
            crossed = torch.cat([-turned[..., width // 2 :], turned[..., : width // 2]], -1)
        rotated = (turned * cos).addcmul_(crossed, sin)
        return torch.cat([rotated, rest], -1) if rest.shape[-1] else rotated
