"""The two prompts of each pair as tokens, how they are aligned, and which token is what."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.power.regions import Token
from pipeline_lib.stimuli.power import SENTENCES, ask
from pipeline_lib.stimuli.text import Span, TextPrompt, read_prompts
from pipeline_lib.stimuli.words import occurrences


@dataclass(frozen=True)
class PairPrompts:
    """Source and base of a pair, and where the base's sentence and the entity in it lie."""

    line: int
    source: TextPrompt
    base: TextPrompt
    source_sentence: Span
    base_sentence: Span
    entity: frozenset[int]

    @property
    def has_equal_length(self) -> bool:
        """Whether both prompts have as many tokens."""
        return len(self.source) == len(self.base)

    @property
    def n_swept(self) -> int:
        """Last tokens that are swept: from the earlier sentence's start on, in both prompts."""
        starts = (
            len(self.source) - self.source_sentence[0],
            len(self.base) - self.base_sentence[0],
        )
        return min(max(starts), len(self.source), len(self.base))

    def tokens(self, tokenizer: PreTrainedTokenizerBase) -> list[Token]:
        """The swept tokens of the base, the first one first, aligned from the right."""
        shift = len(self.source) - len(self.base)
        found = []
        for position in range(len(self.base) - self.n_swept, len(self.base)):
            ids = self.source.ids[position + shift], self.base.ids[position]
            found.append(
                Token(
                    place=position - len(self.base),
                    source=piece(tokenizer, ids[0]),
                    base=piece(tokenizer, ids[1]),
                    is_same=ids[0] == ids[1],
                    is_entity=position in self.entity,
                )
            )
        return found


def piece(tokenizer: PreTrainedTokenizerBase, token_id: int) -> str:
    """The text of one token, its spaces included."""
    return str(tokenizer.decode([token_id], clean_up_tokenization_spaces=False))


def read_pair_prompts(
    tokenizer: PreTrainedTokenizerBase, pairs: pd.DataFrame, question: str
) -> list[PairPrompts]:
    """Tokens and spans of every pair (rows as `read_pairs` gives them), by character offsets.

    Raises TokenizerError for a tokenizer without character offsets.
    """
    texts, starts = {}, {}
    for run, column in SENTENCES.items():
        asked = [ask(question, *row) for row in pairs[["name", column]].itertuples(index=False)]
        texts[run] = read_prompts(tokenizer, [text for text, _ in asked])
        starts[run] = [start for _, start in asked]
    found = []
    for i, row in enumerate(pairs.to_dict("records")):
        spans = {
            run: texts[run][i].tokens_of(starts[run][i], starts[run][i] + len(row[column]))
            for run, column in SENTENCES.items()
        }
        source, base = texts["source"][i], texts["base"][i]
        entity = _entity(base, starts["base"][i], row["name"], row["no_power"])
        found.append(
            PairPrompts(int(row["line"]), source, base, spans["source"], spans["base"], entity)
        )
    return found


def _entity(prompt: TextPrompt, start: int, name: str, sentence: str) -> frozenset[int]:
    """Tokens of every mention of the name in the sentence, which begins at a character."""
    places: Sequence[int] = occurrences(sentence, name)
    spans = [prompt.tokens_of(start + at, start + at + len(name)) for at in places]
    return frozenset(token for first, last in spans for token in range(first, last + 1))
