"""Number tokens: which integers a tokenizer writes as one token, and prompts as token ids."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int, Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.stimuli.arithmetic import OPERATORS, prompt_text

# Numbers are measured in blocks of this many up to this limit; no model in use goes beyond it.
_BLOCK, _LIMIT = 1000, 10_000
_SAMPLE = 64


@dataclass(frozen=True)
class NumberTokens:
    """The tokens of the arithmetic study, measured from a tokenizer.

    ``number_ids[n]`` is the one token of n, for n in 0..max_number, the same alone, as either
    operand and as the answer (definitions 1).
    """

    tokenizer: PreTrainedTokenizerBase
    max_number: int
    number_ids: Int64[np.ndarray, " number"]
    operator_ids: dict[str, int]
    bos_id: int
    equals_id: int

    @classmethod
    def measure(cls, tokenizer: PreTrainedTokenizerBase) -> "NumberTokens":
        """Measure a tokenizer; TokenizerError when numbers beyond 9 are not single tokens."""
        bos_id = _bos_id(tokenizer)
        symbols = [operator.symbol for operator in OPERATORS.values()]
        operator_ids = {name: _single_token(tokenizer, op.symbol) for name, op in OPERATORS.items()}
        equals_id = _single_token(tokenizer, "=")
        numbers: list[int] = []
        while len(numbers) < _LIMIT:
            block = range(len(numbers), len(numbers) + _BLOCK)
            found = _single_number_ids(
                tokenizer, block, symbols, list(operator_ids.values()), equals_id
            )
            numbers.extend(found)
            if len(found) < _BLOCK:
                break
        max_number = len(numbers) - 1
        if max_number <= 9:
            _refuse(tokenizer, max_number)
        ids = np.array(numbers, dtype=np.int64)
        return cls(tokenizer, max_number, ids, operator_ids, bos_id, equals_id)

    def encode(
        self, prompts: pd.DataFrame, prefix: str | Sequence[str] = ""
    ) -> Int64[Tensor, "prompt pos"]:
        """Token ids of a prompt table: BOS, few-shot prefix if any, then a, operator, b, "=".

        ``prefix`` is one text for all prompts or one per prompt, such as "13+27=40;", all with the
        same number of tokens. Analysed positions are the last four columns. Raises PromptError for
        operands beyond ``max_number``, TokenizerError when the tokenizer disagrees with the ids.
        """
        a, b = (prompts[name].to_numpy(dtype=np.int64) for name in ("a", "b"))
        self._check_operands(a, b)
        operators = prompts["operator"].map(self.operator_ids).to_numpy(dtype=np.int64)
        equals = np.full(len(prompts), self.equals_id)
        body = np.stack([self.number_ids[a], operators, self.number_ids[b], equals], axis=1)
        texts = [prefix] * len(prompts) if isinstance(prefix, str) else list(prefix)
        head = self._encode_prefixes(texts) if any(texts) else np.empty((len(prompts), 0), int)
        bos = np.full((len(prompts), 1), self.bos_id)
        ids = np.concatenate([bos, head, body], axis=1).astype(np.int64)
        self._verify(prompts, texts, ids)
        return torch.from_numpy(ids)

    def encode_text(self, text: str) -> Int64[Tensor, " pos"]:
        """Token ids of a raw text after BOS; TokenizerError when a piece of it is not a token."""
        return torch.tensor([self.bos_id, *_encode(self.tokenizer, text)], dtype=torch.int64)

    def number_of(self, token_ids: Int[np.ndarray, "..."]) -> Int64[np.ndarray, "..."]:
        """The number each token stands for, -1 for tokens that are not numbers."""
        size = max(int(self.number_ids.max()), int(np.max(token_ids, initial=0))) + 1
        table = np.full(size, -1, dtype=np.int64)
        table[self.number_ids] = np.arange(self.max_number + 1)
        return table[token_ids]

    def _check_operands(self, a: Int64[np.ndarray, " p"], b: Int64[np.ndarray, " p"]) -> None:
        for name, values in (("a", a), ("b", b)):
            wrong = (values < 0) | (values > self.max_number)
            if wrong.any():
                raise PromptError(
                    "An operand is not a number this tokenizer writes as one token.",
                    where=f"column {name}, row {int(np.argmax(wrong))}",
                    value=int(values[np.argmax(wrong)]),
                    hint=f"Operands must lie in 0..{self.max_number}.",
                )

    def _encode_prefixes(self, texts: list[str]) -> Int[np.ndarray, "prompt pos"]:
        known = {text: _encode(self.tokenizer, text) for text in dict.fromkeys(texts)}
        lengths = {len(ids) for ids in known.values()}
        if len(lengths) > 1:
            raise PromptError(
                "Few-shot prefixes differ in their number of tokens.",
                value=sorted(lengths),
                hint="Use the same number of solved examples for every prompt.",
            )
        return np.array([known[text] for text in texts], dtype=np.int64)

    def _verify(
        self, prompts: pd.DataFrame, prefixes: list[str], ids: Int64[np.ndarray, "prompt pos"]
    ) -> None:
        """Compare with the tokenizer on a sample that holds the smallest and largest operands."""
        if prompts.empty:
            return
        rows = set(np.linspace(0, len(prompts) - 1, min(_SAMPLE, len(prompts)), dtype=int))
        a, b = prompts["a"].to_numpy(), prompts["b"].to_numpy()
        rows |= {a.argmin(), a.argmax(), b.argmin(), b.argmax()}
        chosen = sorted(int(row) for row in rows)
        bodies = prompt_text(prompts.iloc[chosen])
        texts = [prefixes[row] + body for row, body in zip(chosen, bodies, strict=True)]
        for text, row, found in zip(texts, chosen, _ids(self.tokenizer, texts), strict=True):
            if found != ids[row, 1:].tolist():
                raise TokenizerError(
                    "The tokenizer writes a prompt differently inside its context.",
                    where=f"prompt {text!r}",
                    value=self.tokenizer.convert_ids_to_tokens(found),
                    hint="Remove the few-shot prefix, or choose one that ends in a separator.",
                )


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def _bos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    # Pythia and GPT-J have no token of their own for the beginning and use the end token.
    for token_id in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token_id is not None:
            return int(token_id)
    raise TokenizerError(
        "The tokenizer has neither a beginning nor an end token.",
        where=tokenizer.name_or_path,
        hint="Set bos_token in tokenizer_config.json.",
    )


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids without special tokens, refusing unknown pieces and silently dropped spaces."""
    encoded = tokenizer([text], add_special_tokens=False, return_offsets_mapping=tokenizer.is_fast)
    ids: list[int] = encoded["input_ids"][0]
    unknown = [i for i, token in enumerate(ids) if token == tokenizer.unk_token_id]
    if unknown and tokenizer.is_fast:
        pieces = [text[slice(*encoded["offset_mapping"][0][i])] for i in unknown]
    elif unknown:
        pieces = [str(tokenizer.unk_token)]
    else:
        spaces = [character for character in text if character.isspace()]
        pieces = spaces if spaces and ids == _ids(tokenizer, ["".join(text.split())])[0] else []
    if pieces:
        raise TokenizerError(
            "A piece of the text is not in the tokenizer's vocabulary.",
            where=f"text {text!r}",
            value=", ".join(repr(piece) for piece in dict.fromkeys(pieces)),
            hint="Prompts are written without spaces, for example 226-68=.",
        )
    return ids


def _single_token(tokenizer: PreTrainedTokenizerBase, symbol: str) -> int:
    ids = _encode(tokenizer, symbol)
    if len(ids) != 1:
        raise TokenizerError(
            "The tokenizer does not write a symbol as one token.",
            where=tokenizer.name_or_path,
            value=f"{symbol!r} becomes {tokenizer.convert_ids_to_tokens(ids)}",
            hint="The arithmetic study needs + - * / and = as single tokens.",
        )
    return ids[0]


def _single_number_ids(
    tokenizer: PreTrainedTokenizerBase,
    numbers: range,
    symbols: list[str],
    symbol_ids: list[int],
    equals_id: int,
) -> list[int]:
    """Token of each number up to the first that is not one token, alone and in every prompt."""
    alone = _ids(tokenizer, [str(n) for n in numbers])
    contexts = [_ids(tokenizer, [f"{n}{s}{n}={n}" for n in numbers]) for s in symbols]
    found: list[int] = []
    for index, ids in enumerate(alone):
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
            break
        expected = [[ids[0], s, ids[0], equals_id, ids[0]] for s in symbol_ids]
        if [context[index] for context in contexts] != expected:
            break
        found.append(ids[0])
    return found


def _refuse(tokenizer: PreTrainedTokenizerBase, max_number: int) -> None:
    text = f"{max_number + 1}+{max_number + 1}="
    tokens = tokenizer.convert_ids_to_tokens(_ids(tokenizer, [text])[0])
    raise TokenizerError(
        "The tokenizer does not write numbers as single tokens.",
        where=tokenizer.name_or_path,
        value=f"largest single-token number {max_number}; {text!r} becomes {tokens}",
        hint="The arithmetic study needs every operand and answer as one token (Llama-3, Pythia, "
        "GPT-J and tiny-arith have that); tokenizers that write digits one by one cannot be used.",
    )
