"""Orders of two symbols: the same counts of X and Y in every order, which a counter treats alike.

A prompt is "Sequence:" and the symbols of one order, each after a space. Orders are written with
the letters x and y whatever the symbols are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.stimuli.text import bare, read_prompts, single_tokens, token_table

HEAD = "Sequence:"
NAMED = {"clumped": "xxxyyy", "mixed": "xyyxxy", "patterned": "xyxyxy"}
"""The orders of three and three that the published values are of."""
NAMED_COUNTS = (3, 3)
COLUMNS = ("n_x", "n_y", "order", "name", "possible")

Symbols = tuple[str, str]


def orders_of(
    n_x: int, n_y: int, most: int | None = None, rng: np.random.Generator | None = None
) -> list[str]:
    """Orders of ``n_x`` x and ``n_y`` y, sorted: all, or ``most`` different ones drawn with rng."""
    length, total = n_x + n_y, comb(n_x + n_y, n_x)
    if most is None or total <= most:
        return sorted(_order(length, places) for places in combinations(range(length), n_x))
    assert rng is not None
    drawn: set[str] = set()
    while len(drawn) < most:
        drawn.add(_order(length, rng.permutation(length)[:n_x].tolist()))
    return sorted(drawn)


def _order(length: int, places: Sequence[int]) -> str:
    return "".join("x" if place in places else "y" for place in range(length))


def order_table(
    counts: Sequence[tuple[int, int]], most: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Orders of several counts (`COLUMNS`), each with its name, if any, and how many there can be.

    Of `NAMED_COUNTS` there are always all, of other counts at most ``most``.
    """
    rows = []
    names = {order: name for name, order in NAMED.items()}
    for n_x, n_y in dict.fromkeys([NAMED_COUNTS, *counts]):
        limit = None if (n_x, n_y) == NAMED_COUNTS else most
        for order in orders_of(n_x, n_y, limit, rng):
            rows.append((n_x, n_y, order, names.get(order, ""), comb(n_x + n_y, n_x)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def prompt_text(order: str, symbols: Symbols) -> str:
    """The prompt of an order: "Sequence: X Y X"."""
    return " ".join([HEAD, *(symbols[letter == "y"] for letter in order)])


@dataclass(frozen=True)
class SymbolPrompts:
    """Prompts of one pair of symbols, all of one length."""

    symbols: Symbols
    orders: tuple[str, ...]
    tokens: Int64[Tensor, "order token"]
    symbol_ids: Int64[Tensor, " 2"]

    @property
    def candidates(self) -> Int64[Tensor, "order 2"]:
        """Token ids of the two symbols for every prompt."""
        return self.symbol_ids.expand(len(self.tokens), 2)


def symbol_tokens(tokenizer: PreTrainedTokenizerBase, symbols: Symbols) -> Int64[Tensor, " 2"]:
    """Ids of the two symbols after a space.

    Raises TokenizerError where one is not a single token, or where they are the same.
    """
    if symbols[0] == symbols[1]:
        raise TokenizerError(
            "The two symbols are the same.", where=tokenizer.name_or_path, value=symbols[0]
        )
    found = single_tokens(tokenizer, {symbol: [f" {symbol}"] for symbol in symbols})
    return torch.tensor([found[symbol][0] for symbol in symbols], dtype=torch.int64)


def pairs_of(symbols: Sequence[str], others: Sequence[Sequence[str]]) -> list[Symbols]:
    """The studied pair of symbols first, then the other ones."""
    return [(first, second) for first, second in (symbols, *others)]


def check_symbols(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Symbols]) -> None:
    """Raise one TokenizerError that names every symbol which is not one token after a space."""
    encode = bare(tokenizer)
    symbols = dict.fromkeys(symbol for pair in pairs for symbol in pair)
    wrong = [symbol for symbol in symbols if len(encode(f" {symbol}")) != 1]
    if wrong:
        raise TokenizerError(
            "Symbols are not single tokens after a space, so P(X) cannot be read.",
            where=tokenizer.name_or_path,
            value=", ".join(f"{symbol!r}: {len(encode(f' {symbol}'))} tokens" for symbol in wrong),
            hint="Choose other ones: induction.symbols and induction.other_symbols.",
        )


def read_orders(
    tokenizer: PreTrainedTokenizerBase,
    orders: Sequence[str],
    symbols: Symbols,
    *,
    prepend_bos: bool = True,
) -> SymbolPrompts:
    """Prompts of orders of one length, read by the tokenizer.

    Raises TokenizerError for symbols that are not two single tokens, PromptError for a prompt that
    does not end with one token a symbol.
    """
    ids = symbol_tokens(tokenizer, symbols)
    texts = [prompt_text(order, symbols) for order in orders]
    prompts = read_prompts(tokenizer, texts, prepend_bos=prepend_bos)
    for order, prompt in zip(orders, prompts, strict=True):
        wanted = [int(ids[int(letter == "y")]) for letter in order]
        if list(prompt.ids[-len(order) :]) != wanted:
            raise PromptError(
                "The tokenizer does not write a sequence as one token a symbol.",
                where=f"prompt {prompt.text!r}",
                value=tokenizer.convert_ids_to_tokens(list(prompt.ids)),
                hint="Choose other symbols: induction.symbols.",
            )
    return SymbolPrompts(symbols, tuple(orders), token_table(prompts), ids)
