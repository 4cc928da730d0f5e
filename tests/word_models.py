"""Tiny random language models whose tokenizer writes the words of given texts as one token each.

Like the tokenizers of real language models: a word goes with the space in front of it. Characters
that the texts do not hold are tokens too.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PIECES = re.compile(r" ?\w+| ?[^\w\s]|\s")


def word_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with a token for every word of the texts, with and without a space."""
    words = {piece for text in texts for piece in PIECES.findall(text)}
    words |= {word.strip() for word in words} - {""}
    vocab = {"<s>": 0}
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocab[character] = len(vocab)
    merges = []
    for word in sorted(words):
        name = word.replace(" ", "Ġ").replace("\n", "Ċ")
        for end in range(2, len(name) + 1):
            if name[:end] not in vocab:
                vocab[name[:end]] = len(vocab)
                merges.append((name[: end - 1], name[end - 1]))
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>")


def save_word_model(folder: Path, texts: Iterable[str], seed: int = 0) -> Path:
    """Save a random Llama of 4 layers and 4 heads with that tokenizer."""
    tokenizer = word_tokenizer(texts)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.25,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
