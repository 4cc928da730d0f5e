"""Tiny random models whose tokens are words, such as those of the study power's pairs."""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipeline_lib.stimuli.power import FALSE_VARIANTS, QUESTION, TRUE_VARIANTS, read_pairs

N_LAYERS, N_HEADS = 3, 4
WORD = r" ?\w+| ?[^\w\s]"


def word_tokenizer(texts: Iterable[str], pattern: str = WORD) -> PreTrainedTokenizerFast:
    """Words with the space in front of them, and their characters' offsets; others are unknown."""
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    words = {piece for text in texts for piece, _ in split.pre_tokenize_str(text)}
    vocab = {word: i for i, word in enumerate(["<unk>", *sorted(words)])}
    made = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    made.pre_tokenizer = split
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token=None)


def save_model_of_words(
    folder: Path, texts: Iterable[str], *, pattern: str = WORD, seed: int = 0
) -> Path:
    """Save a random model whose tokens are the words of some texts, and its tokenizer."""
    tokenizer = word_tokenizer(texts, pattern)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        num_key_value_heads=2,
        intermediate_size=40,
        max_position_embeddings=128,
        initializer_range=0.25,
        bos_token_id=None,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_power_stand_in(folder: Path) -> Path:
    """Save a model whose tokens are the words of the shipped pairs."""
    pairs = read_pairs()
    sentences = [f" {text}" for name in ("power", "no_power") for text in pairs[name]]
    names = [f" {name} {name}" for name in pairs["name"]]
    single = [" True", "True", " False", "False"]
    assert set(single) <= {*TRUE_VARIANTS, *FALSE_VARIANTS}
    return save_model_of_words(folder, [QUESTION, *sentences, *names, *single])
