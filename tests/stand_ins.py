"""Tiny stand-ins for the paper's models: their architecture, random weights, a fitted unembedding.

Everything below the last matrix is random. The unembedding is fitted by ridge regression in float64
to the answers to `OPERATORS` with operands below `MAX_OPERAND`, which are more prompts than the
residual stream is wide: most are answered right and some wrong, as by the models themselves.
"""

from pathlib import Path

import pandas as pd
import torch
from transformers import GPTJConfig, GPTNeoXConfig, LlamaConfig, PreTrainedConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from pipeline_lib.models.training.tokenizer import build_tokenizer
from pipeline_lib.stimuli.arithmetic import OPERATORS as SIGNS
from pipeline_lib.stimuli.arithmetic import valid_prompts

OPERATORS = ("add", "sub")
MAX_OPERAND, MAX_NUMBER = 16, 99
N_LAYERS, D_MODEL, D_MLP = 4, 128, 96
INITIALIZER_RANGE = 0.15
RIDGE = 1.0
"""Both keep float32's rounding a few times below the tolerance of the engine's self-test."""


def _configs() -> dict[str, PreTrainedConfig]:
    """32 query heads with 8 key-value heads; parallel residuals and partly rotated heads."""
    tokens = {"vocab_size": MAX_NUMBER + 10, "bos_token_id": None, "eos_token_id": None}
    common = {**tokens, "initializer_range": INITIALIZER_RANGE}
    named = {
        "hidden_size": D_MODEL,
        "num_hidden_layers": N_LAYERS,
        "intermediate_size": D_MLP,
        "max_position_embeddings": 32,
    }
    short = {"n_embd": D_MODEL, "n_layer": N_LAYERS, "n_inner": D_MLP, "n_positions": 32}
    return {
        "llama3": LlamaConfig(**common, **named, num_attention_heads=32, num_key_value_heads=8),
        "pythia": GPTNeoXConfig(
            **common, **named, num_attention_heads=8, rotary_pct=0.25, use_parallel_residual=True
        ),
        "gptj": GPTJConfig(**common, **short, n_head=8, rotary_dim=4),
    }


STAND_INS = tuple(_configs())


def save_stand_in(folder: Path, name: str, seed: int = 0) -> Path:
    """Save one stand-in with a tokenizer that writes 0 to `MAX_NUMBER` as one token each."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(_configs()[name]).double().eval()
    tokenizer = build_tokenizer(MAX_NUMBER)
    prompts = pd.concat(
        valid_prompts(op, min_operand=0, max_operand=MAX_OPERAND, max_number=MAX_NUMBER)
        for op in OPERATORS
    )
    texts = [f"{p.a}{SIGNS[p.operator].sign}{p.b}=" for p in prompts.itertuples()]
    tokens = tokenizer(texts, return_tensors="pt")["input_ids"]
    answers = torch.tensor(tokenizer.convert_tokens_to_ids(prompts["answer"].astype(str).tolist()))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms and biases are not what they start as
                parameter.add_(0.2 * torch.randn_like(parameter))
        last = model.base_model(tokens).last_hidden_state[:, -1]
        wanted = 8.0 * torch.nn.functional.one_hot(answers, model.config.vocab_size).double()
        gram = last.T @ last + RIDGE * torch.eye(D_MODEL, dtype=torch.float64)
        unembedding = model.get_output_embeddings()
        unembedding.weight.copy_(torch.linalg.solve(gram, last.T @ wanted).T)
        if unembedding.bias is not None:
            unembedding.bias.zero_()
    model.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
