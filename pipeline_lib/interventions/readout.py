"""From the last residual to logits, or to the log-probabilities of a few tokens."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import batches
from pipeline_lib.interventions.hooks import metric_dtype
from pipeline_lib.models.loading import LanguageModel

# Logits that are summed up together: on a CPU they stay in its cache, a GPU wants large products.
BLOCK_BYTES = {"cpu": 8 * 2**20, "cuda": 256 * 2**20}


class Readout:
    """Final norm and unembedding of a model."""

    def __init__(self, model: LanguageModel) -> None:
        self.norm, self.unembedding = model.final_norm, model.unembedding
        self.device = next(model.unembedding.parameters()).device
        self.dtype = metric_dtype(model)

    def logits(self, resid: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocab"]:
        """Logits of residuals leaving the last layer, in the type of the metrics."""
        logits: Tensor = self.unembedding(self.norm(resid).to(self.device))
        return logits.to(self.dtype)

    def log_probs(
        self, resid: Float[Tensor, "row d_model"], token_ids: Int64[Tensor, "row answer"]
    ) -> Float64[Tensor, "row answer"]:
        """Log-probabilities (nats, on the CPU) of some tokens of each row.

        log P = x - max - log sum exp(x - max), the logits x computed and summed up one part of the
        vocabulary after the other. NaN or infinite logits give a NaN.
        """
        normed = self.norm(resid).to(self.device).T
        ids = token_ids.T.to(self.device)
        chosen = torch.empty(ids.shape, device=self.device, dtype=self.dtype)
        largest = torch.full_like(chosen[0], -torch.inf)
        total = torch.zeros_like(largest)
        block_bytes = BLOCK_BYTES["cpu" if self.device.type == "cpu" else "cuda"]
        size = max(1, block_bytes // (4 * max(1, len(resid))))
        for block in batches(len(self.weight), size):
            logits = self._part(block, normed)
            answer, row = ((ids >= block.start) & (ids < block.stop)).nonzero(as_tuple=True)
            chosen[answer, row] = logits[ids[answer, row] - block.start, row]
            top = torch.maximum(largest, logits.amax(0))
            total = total * (largest - top).exp() + (logits - top).exp_().sum(0)
            largest = top
        return (chosen.double() - largest.double() - total.double().log()).T.cpu()

    def token_logits(
        self, resid: Float[Tensor, "row d_model"], token_ids: Int64[Tensor, "row answer"]
    ) -> Float64[Tensor, "row answer"]:
        """Logits (on the CPU) of some tokens of each row; nothing else is unembedded."""
        normed = self.norm(resid).to(self.device).to(self.dtype)
        ids = token_ids.to(self.device)
        logits = torch.einsum("rd,rad->ra", normed, self.weight[ids].to(self.dtype))
        bias: Tensor | None = getattr(self.unembedding, "bias", None)
        return (logits if bias is None else logits + bias[ids]).double().cpu()

    @property
    def weight(self) -> Float[Tensor, "vocab d_model"]:
        """The unembedding's matrix."""
        weight: Tensor = self.unembedding.weight  # type: ignore[assignment]
        return weight

    def _part(
        self, block: slice, normed: Float[Tensor, "d_model row"]
    ) -> Float[Tensor, "part row"]:
        """Logits of a part of the vocabulary; this way round the product is a fifth faster."""
        logits = self.weight[block] @ normed
        bias = getattr(self.unembedding, "bias", None)
        return (logits if bias is None else logits.add_(bias[block, None])).to(self.dtype)
