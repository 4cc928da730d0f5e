"""A checkpoint and one operator: what is known of them, and what their neurons do when silenced."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.checkpoints.circuits import circuits_of, kept_neurons
from pipeline_lib.circuits.faithfulness import measure_circuits, tabulate_curves
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.heuristics.types import membership
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.knockouts.ablation import IsCorrect
from pipeline_lib.knockouts.by_prompt import RankRule, knock_out_prompts
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import PROMPT_COLUMNS
from pipeline_lib.stimuli.context import PromptContext


@dataclass(frozen=True)
class Subject:
    """What earlier stages found for one checkpoint (or the final model) and operator.

    ``matches`` and ``neurons`` are the checkpoint's own; ``final`` the final model's matches,
    ``heads`` those of its circuit, ``evaluation`` its evaluation prompts; ``correct`` (a, b) are
    the prompts that the checkpoint answers right (`answered`).
    """

    checkpoint: str
    operator: str
    matches: pd.DataFrame
    final: pd.DataFrame
    neurons: pd.DataFrame
    heads: Sequence[Head]
    evaluation: pd.DataFrame
    correct: pd.DataFrame

    @classmethod
    def read(
        cls,
        checkpoint: str,
        operator: str,
        kind: str,
        *,
        matches: Sequence[str],
        final: str | Path,
        neurons: str | Path,
        circuits: str | Path,
        evaluation: str | Path,
        labelled: str | Path,
    ) -> "Subject":
        """The tables of one operator; without ``matches`` it is the final model's own."""
        last = store.read_table(final)
        last = last[last["kind"] == kind].reset_index(drop=True)
        heads = store.read_table(circuits, ["head"])["head"]
        return cls(
            checkpoint,
            operator,
            select(store.read_table(matches[0]), checkpoint, operator) if matches else last,
            last,
            store.read_table(neurons),
            [Head.from_name(str(name)) for name in heads],
            store.read_table(evaluation),
            answered(store.read_table(labelled)),
        )

    def prompts(self, n_prompts: int, seed: int, *, zero_answers: bool = True) -> pd.DataFrame:
        """The first ``n_prompts`` evaluation prompts, in a random order, that it answers right.

        The order is that of the seed and operator, so that checkpoints are asked the same prompts
        as far as they answer them. Without ``zero_answers``, prompts whose answer is 0 are left
        out (the authors' code).
        """
        pool = self.evaluation
        order = generator(seed, "checkpoint_prompts", self.operator).permutation(len(pool))
        known = pd.MultiIndex.from_frame(self.correct)
        usable = np.asarray(pd.MultiIndex.from_frame(pool[["a", "b"]]).isin(known))
        if not zero_answers:
            usable &= (pool["answer"] != 0).to_numpy()
        chosen = order[usable[order]][:n_prompts]
        return pool[PROMPT_COLUMNS].iloc[chosen].reset_index(drop=True)

    def rng(self, seed: int, purpose: str) -> np.random.Generator:
        """Draws of one purpose for this checkpoint and operator."""
        return generator(seed, purpose, self.checkpoint, self.operator)


def answered(labelled: pd.DataFrame) -> pd.DataFrame:
    """Operands (a, b) of the prompts answered right; none where a constant would do as well.

    A checkpoint that is right no more often than the most common answer has guessed: what it does
    with prompts chosen for being right would say nothing.
    """
    correct = labelled["label"] == "correct"
    most_common = labelled["answer"].value_counts().max() if len(labelled) else 0
    return labelled.loc[correct & (correct.sum() > most_common), ["a", "b"]]


def select(table: pd.DataFrame, checkpoint: str, operator: str) -> pd.DataFrame:
    """Rows of one checkpoint and operator, without the columns that say so."""
    held = (table["checkpoint"] == checkpoint) & (table["operator"] == operator)
    return table[held].drop(columns=["checkpoint", "operator"]).reset_index(drop=True)


def measure_shared(
    subject: Subject,
    model: LanguageModel,
    context: PromptContext,
    means: Activations,
    prompts: pd.DataFrame,
    *,
    first_late_layer: int,
    seed: int,
) -> pd.DataFrame:
    """Faithfulness of the checkpoint's circuits (`kept_neurons`) on some prompts.

    A row for every circuit and prompt: checkpoint, then the columns of `tabulate_curves`.
    """
    kept = kept_neurons(subject.matches, subject.final, subject.rng(seed, "checkpoint_circuits"))
    curves = circuits_of(model, subject.heads, kept, first_late_layer=first_late_layer)
    measures = measure_circuits(model, *context.asked(prompts), curves, means)
    table = tabulate_curves(prompts, curves, measures)
    table.insert(0, "checkpoint", subject.checkpoint)
    return table


def knock_out(
    subject: Subject,
    is_correct: IsCorrect,
    prompts: pd.DataFrame,
    *,
    per_layer: Sequence[int],
    rank: RankRule,
    seed: int,
) -> pd.DataFrame:
    """Knockout by prompt (`knock_out_prompts`) of the checkpoint's own neurons; also of none.

    Columns checkpoint and operator come first.
    """
    table = knock_out_prompts(
        subject.matches,
        membership(subject.matches, prompts),
        subject.neurons,
        prompts,
        {"zero": is_correct},
        limits=[0, *per_layer],
        rank=rank,
        rng=subject.rng(seed, "checkpoint_knockout"),
    ).drop(columns=["ablation", "n_unmapped", "norm"])
    table.insert(0, "checkpoint", subject.checkpoint)
    table.insert(1, "operator", subject.operator)
    return table


def join_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables with the same columns, one after the other; empty ones add nothing."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
