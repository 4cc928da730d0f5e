"""Attention of every head: patterns to look at, and scores on repeated random tokens (part 2)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib import store
from pipeline_lib.induction.kinds import ORDERS, PATTERNS_KIND, REPEATED
from pipeline_lib.interventions import attention_patterns, capture
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.stimuli.repeated import RepeatedTokens, repeated_tokens
from pipeline_lib.stimuli.sequences import NAMED, Symbols, read_orders

SCORES = ("induction", "previous", "same")
SCORE_COLUMNS = ["layer", "head", "score", "mean", "low", "high", "n", "uniform"]
RECALL_COLUMNS = ["part", "accuracy", "low", "high", "n", "chance"]
SHOWN_SEQUENCES = 2
AXES = ("prompt", "layer", "head", "query", "key")

Patterns = Float[np.ndarray, "sequence layer head query key"]


def head_scores(patterns: Patterns, sequences: RepeatedTokens) -> dict[str, np.ndarray]:
    """Mean attention of each sequence and head [sequence layer head], over second occurrences.

    ``induction``: to the token after the first occurrence. ``same``: to the first one itself.
    ``previous``: to the token before, whatever it is, which is what induction builds on.
    """
    query, after = sequences.second, sequences.after_first
    places = {"induction": after, "previous": query - 1, "same": after - 1}
    return {name: patterns[..., query, key].mean(-1) for name, key in places.items()}


def uniform_score(sequences: RepeatedTokens) -> float:
    """What a head gets that attends to every token alike: mean of 1 / (tokens it can see)."""
    return float((1 / (sequences.second + 1)).mean())


def score_table(
    scores: Mapping[str, Float[np.ndarray, "sequence layer head"]],
    uniform: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Mean of each score over sequences with its 95 % bootstrap interval (`SCORE_COLUMNS`)."""
    rows = []
    for name, values in scores.items():
        low, high = bootstrap_mean_interval(values.astype(np.float64), rng)
        for layer, head in np.ndindex(*values.shape[1:]):
            cell = (layer, head)
            mean = float(values[:, layer, head].mean(dtype=np.float64))
            rows.append((*cell, name, mean, low[cell], high[cell], len(values), uniform))
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def recall(
    model: LanguageModel, sequences: RepeatedTokens, rng: np.random.Generator
) -> pd.DataFrame:
    """Share of next tokens that are the model's first choice, in the first and second half.

    The intervals resample sequences. Within a half, position 0 is left out: nothing tells what it
    is. (`RECALL_COLUMNS`)
    """
    n, before = sequences.n_repeated, sequences.n_before
    places = {"first": before + np.arange(1, n), "second": before + n + np.arange(1, n)}
    rows = []
    for part, positions in places.items():
        found = np.stack([_is_next(model, sequences.tokens, int(p)) for p in positions], 1)
        low, high = bootstrap_mean_interval(found.mean(1), rng)
        chance = 1 / model.d_vocab
        rows.append((part, float(found.mean()), float(low), float(high), len(found), chance))
    return pd.DataFrame(rows, columns=RECALL_COLUMNS)


def _is_next(
    model: LanguageModel, tokens: Int64[Tensor, "sequence token"], position: int
) -> Float[np.ndarray, " sequence"]:
    """Whether the first choice after the tokens before a position is the token there."""
    logits = capture(model, tokens[:, :position], []).logits
    assert logits is not None
    return (logits.argmax(-1) == tokens[:, position]).double().numpy()


def draw_sequences(
    model: LanguageModel, n_sequences: int, n_repeated: int, *, prepend_bos: bool, seed: int
) -> RepeatedTokens:
    """The random sequences of a seed. Raises TokenizerError (see `repeated_tokens`)."""
    rng = generator(seed, "induction_heads", "sequences")
    return repeated_tokens(model.tokenizer, n_sequences, n_repeated, rng, prepend_bos=prepend_bos)


def measure_heads(
    model: LanguageModel, sequences: RepeatedTokens, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of every head, and the recall of the model."""
    patterns = attention_patterns(model, sequences.tokens).double().numpy()
    rng = generator(seed, "induction_heads", "intervals")
    scores = score_table(head_scores(patterns, sequences), uniform_score(sequences), rng)
    return scores, recall(model, sequences, rng)


def write_patterns(
    path: str,
    model: LanguageModel,
    sequences: RepeatedTokens,
    symbols: Symbols,
    *,
    prepend_bos: bool,
    provenance: Mapping[str, Any],
) -> None:
    """Store the patterns of the named orders and of a few random sequences, with their tokens.

    Two groups, because their lengths differ: pattern_{group} [prompt layer head query key] and the
    tokens as texts (coordinates token_{group}, prompts one after the other).
    """
    named = read_orders(model.tokenizer, list(NAMED.values()), symbols, prepend_bos=prepend_bos)
    groups = {
        ORDERS: (named.tokens, list(NAMED)),
        REPEATED: (
            sequences.tokens[:SHOWN_SEQUENCES],
            [f"random {n + 1}" for n in range(min(SHOWN_SEQUENCES, len(sequences.tokens)))],
        ),
    }
    arrays: dict[str, store.Array] = {}
    coords: dict[str, list[str]] = {}
    for group, (tokens, names) in groups.items():
        values = attention_patterns(model, tokens).float().numpy()
        arrays[f"pattern_{group}"] = store.Array(values, AXES)
        coords[f"token_{group}"] = [token_text(model, i) for i in tokens.flatten().tolist()]
        coords[f"prompt_{group}"] = names
    store.write_artifact(path, PATTERNS_KIND, arrays, coords=coords, provenance=provenance)


def token_text(model: LanguageModel, token: int) -> str:
    """A token as it stands in the text, without the space in front."""
    text = str(model.tokenizer.decode([token]))
    return text.strip() or repr(text)


def of_score(table: pd.DataFrame, score: str, column: str = "mean") -> Float[np.ndarray, " head"]:
    """One score of all heads, layer by layer."""
    rows = table[table["score"] == score].sort_values(["layer", "head"])
    return rows[column].to_numpy(np.float64)
