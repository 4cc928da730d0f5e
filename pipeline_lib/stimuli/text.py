"""Prompts that are plain text: token ids, where a piece of the text lies, tokens of answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.stimuli.words import occurrences

Span = tuple[int, int]
"""First and last token of a piece of text."""


@dataclass(frozen=True)
class TextPrompt:
    """A text as token ids, with the characters [start, end) that each token stands for.

    Special tokens, which stand for no character, have start = end.
    """

    text: str
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def span(self, piece: str, occurrence: int = 0) -> Span:
        """Tokens that share a character with the n-th occurrence of a piece of the text.

        Raises PromptError where the text does not hold it so often.
        """
        starts = occurrences(self.text, piece)
        if not 0 <= occurrence < len(starts):
            raise PromptError(
                "A piece of text does not occur in its prompt"
                + (f" {occurrence + 1} times." if starts else "."),
                where=f"prompt {self.text!r}",
                value=piece,
                hint="It has to be written as in the prompt, letter by letter.",
            )
        return self.tokens_of(starts[occurrence], starts[occurrence] + len(piece))

    def spans(self, piece: str) -> list[Span]:
        """Tokens of every occurrence of a piece of the text; PromptError where there is none."""
        n = len(occurrences(self.text, piece)) or 1
        return [self.span(piece, occurrence) for occurrence in range(n)]

    def tokens_of(self, start: int, end: int) -> Span:
        """First and last token that share a character with [start, end); PromptError if none."""
        found = [i for i, (a, b) in enumerate(self.offsets) if a < min(b, end) and b > start]
        if not found:
            raise PromptError(
                "No token stands for a piece of a prompt.",
                where=f"prompt {self.text!r}",
                value=f"characters {start} to {end}",
            )
        return found[0], found[-1]


def read_prompts(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, prepend_bos: bool = False
) -> list[TextPrompt]:
    """Texts as the tokenizer writes them, with its own special tokens.

    ``prepend_bos`` puts the token of the beginning first where the tokenizer does not. Raises
    TokenizerError for a tokenizer without character offsets, or without a token to put first.
    """
    if not tokenizer.is_fast:
        raise TokenizerError(
            "The tokenizer does not say which characters its tokens stand for.",
            where=tokenizer.name_or_path,
            hint="The model's folder must hold tokenizer.json (a fast tokenizer).",
        )
    if not texts:
        return []
    encoded = tokenizer(list(texts), return_offsets_mapping=True)
    prompts = []
    for text, ids, offsets in zip(
        texts, encoded["input_ids"], encoded["offset_mapping"], strict=True
    ):
        prompt = TextPrompt(text, tuple(ids), tuple((int(a), int(b)) for a, b in offsets))
        prompts.append(_with_bos(tokenizer, prompt) if prepend_bos else prompt)
    return prompts


def _with_bos(tokenizer: PreTrainedTokenizerBase, prompt: TextPrompt) -> TextPrompt:
    bos = beginning(tokenizer)
    if prompt.ids[:1] == (bos,):
        return prompt
    return TextPrompt(prompt.text, (bos, *prompt.ids), ((0, 0), *prompt.offsets))


def beginning(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the token that begins a text: BOS, else EOS; TokenizerError where there is neither."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise TokenizerError(
        "The tokenizer has neither a beginning nor an end token.",
        where=tokenizer.name_or_path,
        hint="Set bos_token in tokenizer_config.json, or prepend_bos: false.",
    )


def by_length(prompts: Sequence[TextPrompt]) -> dict[int, Int64[np.ndarray, " prompt"]]:
    """Numbers of the prompts of each length in tokens, shortest first.

    Prompts of one length run together without padding, which is exact for every architecture.
    """
    lengths = np.array([len(prompt) for prompt in prompts], dtype=np.int64)
    return {int(n): np.flatnonzero(lengths == n) for n in np.unique(lengths)}


def token_table(prompts: Sequence[TextPrompt]) -> Int64[Tensor, "prompt token"]:
    """Token ids of prompts of one length; ValueError for several lengths."""
    if len({len(prompt) for prompt in prompts}) > 1:
        raise ValueError("prompts of several lengths have no common table")
    ids = torch.tensor([prompt.ids for prompt in prompts], dtype=torch.int64)
    return ids.reshape(len(prompts), -1) if prompts else ids.reshape(0, 0)


def single_tokens(
    tokenizer: PreTrainedTokenizerBase, answers: Mapping[str, Sequence[str]]
) -> dict[str, list[int]]:
    """Tokens of each answer: those of its variants (" X", "X", ...) that are one token.

    Raises TokenizerError that names the answers without such a variant, or two that share a token.
    """
    found = {
        answer: [ids[0] for ids in map(bare(tokenizer), variants) if len(ids) == 1]
        for answer, variants in answers.items()
    }
    for answer, ids in found.items():
        if not ids:
            raise TokenizerError(
                "The tokenizer writes no variant of an answer as one token.",
                where=tokenizer.name_or_path,
                value=f"{answer}: {', '.join(map(repr, answers[answer]))}",
                hint="Choose other variants in the config, or a model whose tokenizer has them.",
            )
    _check_distinct(tokenizer, found)
    return {answer: list(dict.fromkeys(ids)) for answer, ids in found.items()}


def first_tokens(tokenizer: PreTrainedTokenizerBase, answers: Sequence[str]) -> dict[str, int]:
    """First token of each answer after a space, without special tokens.

    Raises TokenizerError for answers that begin with the same token.
    """
    found = {answer: bare(tokenizer)(f" {answer}")[:1] for answer in answers}
    unknown = [answer for answer, ids in found.items() if not ids]
    if unknown:
        raise TokenizerError(
            "A piece of an answer is not in the tokenizer's vocabulary.",
            where=tokenizer.name_or_path,
            value=", ".join(map(repr, unknown)),
        )
    _check_distinct(tokenizer, found)
    return {answer: ids[0] for answer, ids in found.items()}


def bare(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], list[int]]:
    """The tokenizer without special tokens; unknown pieces give no tokens at all."""

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [] if tokenizer.unk_token_id in ids else ids

    return encode


def _check_distinct(
    tokenizer: PreTrainedTokenizerBase, answers: Mapping[str, Sequence[int]]
) -> None:
    owner: dict[int, str] = {}
    for answer, ids in answers.items():
        for token in ids:
            other = owner.setdefault(token, answer)
            if other != answer:
                raise TokenizerError(
                    "Two answers begin with the same token, so a model's choice cannot be read.",
                    where=tokenizer.name_or_path,
                    value=f"{other!r} and {answer!r}: {tokenizer.convert_ids_to_tokens(token)!r}",
                    hint="Replace one of them.",
                )
