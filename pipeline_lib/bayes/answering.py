"""The first stage: every template's prompts through the model, once."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.bayes.lens import by_layer, lens_table
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.bayes.running import read_last
from pipeline_lib.bayes.task import answers, score
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.bernoulli import BernoulliTask, sample_sequences

STAGE = "bayes"


@dataclass(frozen=True)
class Answered:
    """Answers and scores (`task`), the logit lens of every prompt and by layer (`lens`)."""

    answers: pd.DataFrame
    scores: pd.DataFrame
    lens: pd.DataFrame
    layers: pd.DataFrame


def answer(
    model: LanguageModel,
    task: BernoulliTask,
    *,
    templates: Sequence[str],
    permutations: int,
    seed: int,
) -> Answered:
    """Ask for the next draw after ``permutations`` orders of every number of X, by template.

    All templates ask about the same sequences. Raises TokenizerError before anything runs.
    """
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    sequences = sample_sequences(task.draws, permutations, generator(seed, STAGE, "sequences"))
    answered, lens = [], []
    for template in templates:
        prompts = task.prompts(sequences, template)
        run = read_last(model, prompts["text"].tolist(), outcomes)
        answered.append(answers(task, outcomes, prompts, run))
        lens.append(lens_table(task, outcomes, prompts, run))
    every, table = pd.concat(answered, ignore_index=True), pd.concat(lens, ignore_index=True)
    rng = generator(seed, STAGE, "intervals")
    layers = by_layer(table, float(every["no_evidence"].iloc[0]), rng)
    return Answered(every, score(every, rng), table, layers)
