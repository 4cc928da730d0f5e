"""What the benchmarks run on: the built-in model, and random weights of SmolLM2-135M's shape."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline_lib.models.architectures import LlamaLike
from pipeline_lib.models.loading import LanguageModel, load_model, load_tokenizer
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.stimuli.arithmetic import OPERATORS, valid_prompts

TINY = Path(__file__).resolve().parents[1] / "data" / "models" / "tiny-arith"
MODELS = ("tiny-arith", "smollm2-135m")
RESULTS = Path(__file__).parent / "results"


def load_subject(name: str) -> LanguageModel:
    """A fresh copy of a model; the same weights every time."""
    if name == "tiny-arith":
        return load_model(TINY)
    config = LlamaConfig(
        hidden_size=576,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        intermediate_size=1536,
        vocab_size=49_152,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    hf = LlamaForCausalLM(config).eval().requires_grad_(False)
    shape = LlamaLike.shape(config.to_dict())
    return LanguageModel(name, hf, load_tokenizer(TINY), LlamaLike, shape)


@dataclass(frozen=True)
class Pairs:
    """Prompts of five tokens and their counterfactuals, with the tokens of both answers."""

    tokens: torch.Tensor
    other: torch.Tensor
    answers: torch.Tensor
    other_answers: torch.Tensor


def draw_pairs(model: LanguageModel, n_prompts: int) -> Pairs:
    """Random valid prompts of all operators, in two draws."""
    numbers = NumberTokens.measure(model.tokenizer)
    ids = torch.from_numpy(numbers.number_ids)
    both = draw_prompts(2 * n_prompts, 0)
    first, second = both.iloc[:n_prompts], both.iloc[n_prompts:]
    tokens = [numbers.encode(table.reset_index(drop=True)) for table in (first, second)]
    answers = [ids[torch.tensor(table["answer"].to_numpy())] for table in (first, second)]
    return Pairs(*tokens, *answers)


def draw_prompts(n_prompts: int, seed: int) -> pd.DataFrame:
    """Random prompts with operands below 300."""
    tables = [valid_prompts(n, min_operand=0, max_operand=300, max_number=999) for n in OPERATORS]
    chosen = pd.concat(tables).sample(n_prompts, random_state=seed)
    return chosen.reset_index(drop=True)
