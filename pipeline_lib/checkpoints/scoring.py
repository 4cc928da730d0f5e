"""One checkpoint on the prompts of the final model: its top neurons, their scores, its means.

Prompts and counterfactuals are those of the final model, so that whatever differs between
checkpoints comes from their weights (definitions 9, over training).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from pipeline_lib.artifacts.answers import answer_tokens
from pipeline_lib.artifacts.calibration import map_chains
from pipeline_lib.artifacts.map_writing import write_maps
from pipeline_lib.artifacts.scores import Scores, score_map_artifact
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.interventions.attribute import Method, iter_attribution
from pipeline_lib.interventions.capture import Activations, capture
from pipeline_lib.interventions.means import mean_activations
from pipeline_lib.interventions.neurons import patch_neurons
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.neurons.exact import choose_prompts
from pipeline_lib.neurons.importance import first_layer, importance, top_neurons
from pipeline_lib.stimuli.arithmetic import (
    PROMPT_COLUMNS,
    counterfactual_prompts,
    every_prompt,
    label_prompts,
)
from pipeline_lib.stimuli.context import PromptContext

PAIRS_AT_ONCE = 512  # whose activations are held


def top_neurons_of(
    model: LanguageModel,
    context: PromptContext,
    pairs: Sequence[pd.DataFrame],
    settings: Mapping[str, Any],
    operator: str,
    *,
    method: Method,
    steps: int,
    exact: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """The most important neurons of every late layer (definitions 3), as `top_neurons` has them.

    ``pairs`` are the pair tables of every attribution seed; ``settings`` those of the neurons
    (importance, per_layer, and first_heuristics_layer, a number or "half"). ``exact`` (prompts,
    seed): ranked by exact effects in so many of each table's pairs. No pairs, no neurons.
    """
    if exact:
        rows = choose_prompts(len(pairs[0]), exact["prompts"], exact["seed"], operator)
        parts = [exact_effects(model, context, table.iloc[rows]) for table in pairs]
    else:
        options: dict[str, Any] = {"method": method, "steps": steps}
        parts = [last_effects(model, context, table, **options) for table in pairs]
    effects = np.concatenate(parts)
    return top_neurons(
        importance(effects, settings["importance"]).values,
        first_heuristics_layer=first_layer(settings["first_heuristics_layer"], model.n_layers),
        per_layer=settings["per_layer"] if len(effects) else 0,
    )


def last_effects(
    model: LanguageModel,
    context: PromptContext,
    pairs: pd.DataFrame,
    *,
    method: Method,
    steps: int,
) -> Float[np.ndarray, "pair layer neuron"]:
    """Attribution of every neuron at the last position, for every pair of prompts (definitions 3).

    What the attribution stage stores as neurons_last, without activations on disk.
    """
    parts = [torch.empty(0, model.n_layers, model.d_mlp)]
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        chosen = pairs.iloc[start : start + PAIRS_AT_ONCE]
        tokens = context.encode(chosen)
        clean, counterfactual = (
            capture(model, rows, ("z", "mlp_post"), positions=[-1], keep_logits=False)
            for rows in (tokens, context.encode(counterfactual_prompts(chosen)))
        )
        answers = answer_tokens(context.answer_ids, chosen)
        batches = iter_attribution(
            model, tokens, *answers, clean, counterfactual, method=method, steps=steps, check=False
        )
        parts += [batch.neurons[:, 0].float() for batch in batches]
    return torch.cat(parts).numpy()


def exact_effects(
    model: LanguageModel, context: PromptContext, pairs: pd.DataFrame
) -> Float[np.ndarray, "pair layer neuron"]:
    """Exact effect of every neuron at the last position, as `read_exact_effects` has it."""
    other = context.encode(counterfactual_prompts(pairs))
    source = capture(model, other, ("mlp_post",), positions=[-1], keep_logits=False)
    shape = (model.n_layers, model.d_mlp)
    units = torch.from_numpy(np.indices(shape).reshape(2, -1))
    answers = answer_tokens(context.answer_ids, pairs)
    found = patch_neurons(model, context.encode(pairs), source, *answers, *units)
    return -found.log_odds_change().reshape(-1, *shape) / 2


def score_checkpoint(
    model: LanguageModel,
    context: PromptContext,
    prompts: pd.DataFrame,
    neurons: pd.DataFrame,
    settings: HeuristicSettings,
    *,
    operator: str,
    max_operand: int,
    dtype: str,
    kind: Kind,
    max_base_rate: float,
    min_share: float,
    scratch: str | Path,
) -> tuple[pd.DataFrame, Scores, HeuristicIndex, pd.DataFrame]:
    """Labels of the prompts, scores of the neurons' maps on all heuristics, and their chains.

    ``prompts`` are all valid ones of an operator, ``neurons`` rows of (layer, neuron). The maps lie
    as ``dtype`` in the folder ``scratch`` in the meantime. Raises what `write_maps` raises.
    """
    with TemporaryDirectory(dir=scratch) as folder:
        maps = Path(folder) / "maps.h5"
        tokens, numbers = context.encode(prompts), context.answer_ids
        kept: dict[str, Any] = {"dtype": dtype, "provenance": {}}
        predicted = write_maps(maps, model, tokens, prompts, neurons, numbers, **kept)
        limits = {"max_operand": max_operand, "max_number": context.tokens.max_number}
        scores, index = score_map_artifact(maps, operator, settings, **limits)
        options: dict[str, Any] = {"max_base_rate": max_base_rate, "min_share": min_share}
        links = map_chains(maps, operator, index, kind=kind, **options)
    answered = context.tokens.number_of(predicted)
    return label_prompts(prompts[PROMPT_COLUMNS], answered), scores, index, links


def sampled_means(
    model: LanguageModel,
    context: PromptContext,
    *,
    max_operand: int,
    n_prompts: int,
    rng: np.random.Generator,
) -> tuple[Activations, int]:
    """Mean activations over up to ``n_prompts`` of the prompts of definitions 5, and how many.

    They are drawn from all pairs of operands and operators, valid or not: the error of a mean is
    the deviation over prompts divided by the root of their number.
    """
    prompts = every_prompt(
        list(context.examples), max_operand=max_operand, max_number=context.tokens.max_number
    )
    drawn = prompts.iloc[np.sort(rng.permutation(len(prompts))[:n_prompts])]
    return mean_activations(model, context.encode(drawn)), len(drawn)
