"""Random attention-only models with a tokenizer of words: stand-ins for models that read text."""

from pathlib import Path

import torch

from pipeline_lib.models.training.folders import save_folder
from pipeline_lib.models.training.tiny_induction import (
    AttentionSize,
    InductionTraining,
    build_attention_model,
)
from pipeline_lib.models.training.words import build_word_tokenizer
from pipeline_lib.rng import generator

SIZE = AttentionSize(n_layers=2, n_heads=3, d_head=8, d_model=24, init_std=0.4)
N_WORDS = 30


def save_attention_only_model(folder: Path, seed: int = 0) -> Path:
    """Save a random model of 2 layers of 3 heads whose words are one token each."""
    tokenizer = build_word_tokenizer(N_WORDS, generator(seed, "words"))
    model = build_attention_model(InductionTraining(size=SIZE, seed=seed), tokenizer)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("v_proj.bias"):
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=_torch(seed)))
    save_folder(model, tokenizer, folder)
    return folder


def _torch(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
