"""Optimisers of the built-in models, and their learning rate over a run."""

import math
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW, Muon, Optimizer


@dataclass(frozen=True)
class Optimisation:
    """How a model is trained, whatever on."""

    muon_lr: float = 0.02
    """Peak learning rate of Muon: the matrices of the blocks."""
    adamw_lr: float = 5e-3
    """Peak learning rate of AdamW: embedding, unembedding, norms and biases."""
    adamw_betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.5
    """Decoupled, times the learning rate; norms and biases have none."""
    warmup_fraction: float = 0.03
    """Share of the steps with a rising learning rate; a cosine to 0 follows."""
    max_grad_norm: float = 1.0


def learning_rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Factor of the peak learning rate in update ``step`` (from 0): linear rise, cosine to 0."""
    warmup = max(1, round(warmup_fraction * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def build_optimizers(model: nn.Module, settings: Optimisation) -> list[Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings, norms and biases."""
    matrices, embeddings, norms = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.numel():
            continue  # MLPs without neurons
        if parameter.ndim < 2:
            norms.append(parameter)
        elif "embed_tokens" in name or "lm_head" in name:
            embeddings.append(parameter)
        else:
            matrices.append(parameter)
    decay = settings.weight_decay
    groups = [
        {"params": embeddings, "weight_decay": decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return [
        Muon(matrices, lr=settings.muon_lr, weight_decay=decay),
        AdamW(groups, lr=settings.adamw_lr, betas=settings.adamw_betas),
    ]
