"""Tokenizer of whole words: capital letters, made-up words and "Sequence:"."""

from itertools import product
from string import ascii_uppercase

import numpy as np
from jaxtyping import Int64
from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from pipeline_lib.errors import ConfigError
from pipeline_lib.models.training.tokenizer import BOS, EOS, PAD, UNK, as_pretrained
from pipeline_lib.stimuli.sequences import HEAD

SPECIAL = (PAD, BOS, EOS, UNK)
SYLLABLES = tuple("".join(pair) for pair in product("bdfgklmnprstvz", "aeiou"))


def made_up_words(n_words: int, rng: np.random.Generator) -> list[str]:
    """Different words of two syllables, such as "kano"; ConfigError for more than there are."""
    total = len(SYLLABLES) ** 2
    if n_words > total:
        raise ConfigError("There are not so many made-up words.", value=f"{n_words} of {total}")
    chosen = np.sort(rng.permutation(total)[:n_words])
    return [SYLLABLES[n // len(SYLLABLES)] + SYLLABLES[n % len(SYLLABLES)] for n in chosen]


def build_word_tokenizer(
    n_words: int, rng: np.random.Generator, max_length: int = 128
) -> PreTrainedTokenizerFast:
    """Fast tokenizer in which every word, with the space in front of it, is one token.

    Vocabulary: pad, bos, eos, unk, "Sequence:" (without a space: it begins a text), the letters
    " A" to " Z", made-up words. No special token is added; other words become ``<unk>``.
    """
    words = [f" {word}" for word in (*ascii_uppercase, *made_up_words(n_words, rng))]
    vocab = {token: index for index, token in enumerate([*SPECIAL, HEAD, *words])}
    tokenizer = Tokenizer(WordLevel(vocab, unk_token=UNK))
    tokenizer.pre_tokenizer = Split(Regex(r" ?[^ ]+"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return as_pretrained(tokenizer, max_length)


def word_ids(tokenizer: PreTrainedTokenizerBase) -> Int64[np.ndarray, " word"]:
    """Ids of the letters and words: what texts are made of."""
    vocab: dict[str, int] = tokenizer.get_vocab()
    return np.array(sorted(i for token, i in vocab.items() if token.startswith(" ")))
