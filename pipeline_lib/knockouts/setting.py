"""What both kinds of knockout of one operator are made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.artifacts.maps import KIND, read_norms
from pipeline_lib.artifacts.means import read_means
from pipeline_lib.interventions.ablate import Where
from pipeline_lib.knockouts.ablation import IsCorrect, Kind, answers_by_kind, draw_donors
from pipeline_lib.knockouts.matched import Pool, layer_norms
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.stimuli.arithmetic import some_prompts
from pipeline_lib.stimuli.context import PromptContext

NORM_PROMPTS = 1000
"""Evaluation prompts over which the norms of neurons without maps are taken."""


@dataclass(frozen=True)
class Setting:
    """Evaluation prompts with their donors, the model's answers, the pool of random sets."""

    evaluation: pd.DataFrame
    answers: Mapping[Kind, IsCorrect]
    pool: Pool

    @classmethod
    def read(
        cls,
        model: LanguageModel,
        context: PromptContext,
        *,
        evaluation: str | Path,
        means: str | Path,
        maps: str | Path,
        kinds: Sequence[Kind],
        positions: Where,
        rng: np.random.Generator,
    ) -> "Setting":
        """From the artifacts of one operator; donors and `NORM_PROMPTS` are drawn with ``rng``."""
        donors, prompts = draw_donors(store.read_table(evaluation), rng)
        answers = answers_by_kind(
            *(model, context.encode, context.answer_ids),
            kinds=kinds,
            means=read_means(means),
            donors=donors,
            positions=positions,
        )
        with store.open_artifact(maps, KIND) as artifact:
            mapped = read_norms(artifact)
        layers = sorted({int(layer) for layer in mapped["layer"]})
        tokens = context.encode(some_prompts(prompts, NORM_PROMPTS, rng))
        return cls(prompts, answers, Pool(mapped, layer_norms(model, tokens, layers)))
