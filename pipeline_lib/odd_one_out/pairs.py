"""Pairs of prompts as a tokenizer writes them, aligned token by token, and their margins."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.errors import PromptError, TokenizerError
from pipeline_lib.interventions import candidate_logits
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.stimuli.odd_one_out import BETWEEN
from pipeline_lib.stimuli.text import Span, TextPrompt, bare, read_prompts, token_table

COLLIDES = "first tokens collide"
UNEQUAL = "of unequal length"
MOVED = "other tokens differ too"
UNKNOWN = "not in the vocabulary"


@dataclass(frozen=True)
class PairSet:
    """Aligned pairs: clean and corrupt prompt are the same tokens but in ``spans``.

    ``token_ids`` are the candidates' first tokens: the answer, the corrupt prompt's own answer
    (where it has one) and all wrong ones.
    """

    table: pd.DataFrame
    clean: list[TextPrompt]
    corrupt: list[TextPrompt]
    spans: list[Span]
    token_ids: Int64[Tensor, "pair candidate"]

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: Int64[np.ndarray, " row"] | Bool[np.ndarray, " pair"]) -> "PairSet":
        """Some of the pairs."""
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows
        return PairSet(
            self.table.iloc[chosen].reset_index(drop=True),
            [self.clean[i] for i in chosen],
            [self.corrupt[i] for i in chosen],
            [self.spans[i] for i in chosen],
            self.token_ids[torch.from_numpy(chosen)],
        )

    def groups(self) -> dict[tuple[int, int, int], Int64[np.ndarray, " pair"]]:
        """Numbers of the pairs of one length and one span: (tokens, first, last)."""
        keys = [(len(p), *span) for p, span in zip(self.clean, self.spans, strict=True)]
        found: dict[tuple[int, int, int], list[int]] = {}
        for number, key in enumerate(keys):
            found.setdefault(key, []).append(number)
        return {key: np.array(found[key], dtype=np.int64) for key in sorted(found)}

    def tokens(self, which: str) -> Int64[Tensor, "pair token"]:
        """Token ids of the "clean" or "corrupt" prompts, which must be of one length."""
        return token_table(getattr(self, which))


def align(
    tokenizer: PreTrainedTokenizerBase, table: pd.DataFrame, *, keep_unaligned: bool = False
) -> tuple[PairSet, pd.DataFrame]:
    """The pairs that align and can be read, and those left out with their ``reason``.

    Clean and corrupt prompts must have as many tokens and differ in the swapped entity alone; the
    candidates' first tokens (with the space in front) must differ. ``keep_unaligned`` keeps pairs
    of unequal prompts, whose margins can be measured though nothing can be patched; column
    ``aligned`` tells them. Column ``proposal`` of both is the row of ``table``.
    """
    first = bare(tokenizer)
    starts: dict[str, list[int]] = {}
    prompts = [read_prompts(tokenizer, table[name].tolist()) for name in ("clean", "corrupt")]
    kept, spans, ids, reasons, are_aligned = [], [], [], [], []
    for number, row in enumerate(table.to_dict("records")):
        words = candidates(row)
        for word in words:
            starts.setdefault(word, first(f" {word}")[:1])
        tokens = [starts[word] for word in words]
        span, reason = _aligned(prompts[0][number], prompts[1][number], row)
        is_aligned = not reason
        reason = "" if keep_unaligned else reason
        if not all(tokens):
            reason = f"{UNKNOWN}: {next(w for w in words if not starts[w])}"
        elif len({t[0] for t in tokens}) < len(tokens):
            reason = f"{COLLIDES}: {_twins(words, tokens)}"
        reasons.append(reason)
        if not reason:
            kept.append(number)
            are_aligned.append(is_aligned)
            spans.append(span)
            ids.append([t[0] for t in tokens])
    numbered = table.assign(proposal=np.arange(len(table)))
    left_out = numbered.assign(reason=reasons)[[bool(reason) for reason in reasons]]
    width = max(map(len, ids), default=0)
    if any(len(row) != width for row in ids):
        raise ValueError("the pairs of one task have equally many candidates")
    clean, corrupt = ([part[i] for i in kept] for part in prompts)
    chosen = torch.tensor(ids, dtype=torch.int64).reshape(len(kept), width)
    rows = numbered.iloc[kept].assign(aligned=are_aligned).reset_index(drop=True)
    return PairSet(rows, clean, corrupt, spans, chosen), left_out


def candidates(row: dict[str, object]) -> list[str]:
    """The words a pair's choice is between: the answer first."""
    listed = [str(row["answer"]), str(row["corrupt_answer"]), *str(row["wrong"]).split(BETWEEN)]
    return [word for word in listed if word]


def _twins(words: list[str], tokens: list[list[int]]) -> str:
    seen: dict[int, str] = {}
    for word, token in zip(words, tokens, strict=True):
        if token[0] in seen:
            return f"{seen[token[0]]} and {word}"
        seen[token[0]] = word
    raise ValueError("no two words begin alike")


def _aligned(clean: TextPrompt, corrupt: TextPrompt, row: dict[str, object]) -> tuple[Span, str]:
    spans = clean.spans(str(row["swapped"]))[-1], corrupt.spans(str(row["replacement"]))[-1]
    sizes = [last - first + 1 for first, last in spans]
    if len(clean) != len(corrupt) or sizes[0] != sizes[1]:
        return spans[0], f"{UNEQUAL}: {sizes[0]} and {sizes[1]} tokens"
    inside = range(spans[0][0], spans[0][1] + 1)
    rest = [i for i in range(len(clean)) if i not in inside]
    if spans[0] != spans[1] or any(clean.ids[i] != corrupt.ids[i] for i in rest):
        return spans[0], MOVED
    return spans[0], ""


def require(pairs: PairSet, left_out: pd.DataFrame, what: str) -> None:
    """Raise PromptError with the reasons when no pair is left."""
    if len(pairs):
        return
    reasons = left_out["reason"].str.split(":").str[0].value_counts()
    raise PromptError(
        f"No pair of prompts is left of {what}.",
        value=", ".join(f"{reason}: {n}" for reason, n in reasons.items()) or "none was proposed",
        hint="Use more people, or names that the tokenizer writes with equally many tokens.",
    )


def refuse_left_out(left_out: pd.DataFrame) -> None:
    """Raise TokenizerError for pairs the user wrote out that cannot be used, with the reasons."""
    if left_out.empty:
        return
    rows = [f"{r['swapped']} / {r['replacement']}: {r['reason']}" for _, r in left_out.iterrows()]
    raise TokenizerError(
        "Pairs of prompts that were asked for cannot be used.",
        where="odd_one_out.examples",
        value="; ".join(rows),
        hint="Replace the names.",
    )


def margin(
    logits: Float64[np.ndarray, "*cell candidate"], correct: int = 0
) -> Float64[np.ndarray, "*cell"]:
    """logit(correct) - max logit of all other candidates, in nats."""
    wrong = np.delete(logits, correct, axis=-1)
    return logits[..., correct] - wrong.max(axis=-1)


def prompt_logits(
    model: LanguageModel, pairs: PairSet, which: str
) -> Float64[np.ndarray, "pair candidate"]:
    """Logits of every pair's candidates after its "clean" or "corrupt" prompt."""
    lengths: dict[int, list[int]] = {}
    for number, prompt in enumerate(getattr(pairs, which)):
        lengths.setdefault(len(prompt), []).append(number)
    found = np.empty(tuple(pairs.token_ids.shape))
    for numbers in lengths.values():
        part = pairs.take(np.array(numbers))
        found[numbers] = candidate_logits(model, part.tokens(which), part.token_ids).numpy()
    return found
