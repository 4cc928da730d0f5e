"""A tiny stand-in for the study odd one out: words as tokens, random layers, a fitted unembedding.

The unembedding is fitted to the common professions of pairs of people and to the profession of one,
so that the model passes some pairs of both tasks and none of the odd one out but by chance.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from pipeline_lib.stimuli.odd_one_out import Formats, People, Task, propose
from pipeline_lib.stimuli.people import plural, read_people
from pipeline_lib.stimuli.text import bare, by_length, read_prompts, token_table

PIECE = r" ?[^\s,:]+|\n|[,:]"
N_LAYERS, D_MODEL, N_HEADS, D_MLP = 3, 192, 4, 64
PROMPTS = 900
RIDGE = 0.1


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Every word of the shipped people and of the default prompts, with and without a space."""
    people, formats = read_people(), Formats()
    text = [*people["name"], *people["profession"], *people["super_class"]]
    text += [plural(name) for name in [*people["profession"], *people["super_class"]]]
    text += [formats.odd_one_out, formats.common_head, formats.common_attribute, formats.one_name]
    words = sorted({w for line in text for w in line.replace(",", " ").replace(":", " ").split()})
    pieces = ["<unk>", ",", ":", "\n", *words, *(f" {word}" for word in words)]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    made = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")


def save_odd_stand_in(folder: Path, seed: int = 0) -> Path:
    """Save the model and its tokenizer."""
    torch.manual_seed(seed)
    tokenizer = word_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=D_MODEL, num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS, num_key_value_heads=2, intermediate_size=D_MLP,
        max_position_embeddings=128, initializer_range=0.15, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).double().eval()
    people, rng = People(read_people()), np.random.default_rng(seed)
    tasks: list[Task] = ["common_attribute", "one_name"]
    table = pd.concat(
        [propose(people, task, "profession", Formats(), PROMPTS, rng) for task in tasks]
    )
    prompts = read_prompts(tokenizer, table["clean"].tolist())
    last = torch.empty(len(prompts), D_MODEL, dtype=torch.float64)
    with torch.no_grad():
        for rows in by_length(prompts).values():
            tokens = token_table([prompts[i] for i in rows])
            last[rows] = model.base_model(tokens).last_hidden_state[:, -1]
        words = sorted(set(table["answer"]))
        ids = {word: bare(tokenizer)(f" {word}")[0] for word in words}
        wanted = torch.zeros(len(prompts), len(tokenizer), dtype=torch.float64)
        for row, word in enumerate(table["answer"]):
            wanted[row, ids[word]] = 8.0
        gram = last.T @ last + RIDGE * torch.eye(D_MODEL, dtype=torch.float64)
        model.get_output_embeddings().weight.copy_(torch.linalg.solve(gram, last.T @ wanted).T)
    model.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
