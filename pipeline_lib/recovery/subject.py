"""A planted network with the prompts it is asked, and what patching and attribution find in it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from torch import Tensor, from_numpy

from pipeline_lib.artifacts.map_writing import neuron_value_logits
from pipeline_lib.artifacts.maps import Maps
from pipeline_lib.circuits.study import ranked_heads
from pipeline_lib.interventions.attribute import attribute
from pipeline_lib.interventions.capture import Activations, capture, predict_tokens
from pipeline_lib.interventions.hooks import Site
from pipeline_lib.interventions.patch import patch_components
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.models.planted.settings import (
    HEURISTICS_LAYER,
    LOOKUP_LAYER,
    MAX_NUMBER,
    MAX_OPERAND,
)
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.neurons.importance import ImportanceRule, importance, top_neurons
from pipeline_lib.stimuli.arithmetic import (
    OPERATORS,
    counterfactual_prompts,
    draw_counterfactuals,
    label_prompts,
    pair_table,
    some_prompts,
    valid_prompts,
)

POSITIONS = (1, 2, 3, 4)
EQUALS = POSITIONS[-1]
PLANTED_MLPS = frozenset({("mlp", LOOKUP_LAYER, EQUALS), ("mlp", HEURISTICS_LAYER, EQUALS)})


@dataclass(frozen=True)
class Subject:
    """A planted network, its tokens, and every operator's valid prompts with what it answers."""

    model: LanguageModel
    numbers: NumberTokens
    labelled: dict[str, pd.DataFrame]

    @classmethod
    def ask(cls, model: LanguageModel) -> "Subject":
        """Ask the network every prompt that it can be asked."""
        numbers = NumberTokens.measure(model.tokenizer)
        labelled = {}
        for operator in OPERATORS:
            prompts = valid_prompts(
                operator, min_operand=0, max_operand=MAX_OPERAND, max_number=MAX_NUMBER
            )
            tokens = predict_tokens(model, numbers.encode(prompts)).numpy()
            labelled[operator] = label_prompts(prompts, numbers.number_of(tokens))
        return cls(model, numbers, labelled)

    def correct(self, operator: str) -> pd.DataFrame:
        """Prompts that are answered right."""
        table = self.labelled[operator]
        return table[table["label"] == "correct"]

    def pairs(self, operator: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """``n`` correct prompts with counterfactuals of all operators alike (a pair table).

        Where there are fewer, each prompt comes several times, with other counterfactuals. Empty
        where nothing is answered right, or only one number by all operators.
        """
        correct = self.correct(operator)
        shuffled = some_prompts(correct, len(correct), rng)
        clean = shuffled.iloc[np.arange(n if len(correct) else 0) % max(len(correct), 1)]
        filled = [table for name in OPERATORS if len(table := self.correct(name))]
        least = min(map(len, filled), default=0)
        pool = pd.concat([some_prompts(table, least, rng) for table in filled] or [clean])
        if len(pool["answer"].unique()) < 2:
            clean = clean.iloc[:0]
        return pair_table(clean, draw_counterfactuals(clean, pool, "different_answer", rng))

    def answer_ids(
        self, pairs: pd.DataFrame
    ) -> tuple[Int64[Tensor, " prompt"], Int64[Tensor, " prompt"]]:
        """Tokens of the two answers of every pair."""
        columns = (pairs[name].to_numpy(dtype=np.int64) for name in ("answer", "cf_answer"))
        clean, other = (from_numpy(self.numbers.number_ids[column]) for column in columns)
        return clean, other

    def maps(self, operator: str, neurons: pd.DataFrame) -> Maps:
        """Maps of late neurons (columns layer, neuron) over all valid prompts of an operator."""
        prompts = self.labelled[operator]
        run = self.late(prompts, ("mlp_post",))
        chosen = neurons["neuron"].to_numpy(dtype=np.int64, copy=True)
        k_map = run.site("mlp_post")[:, 0, 0, chosen]
        table = neurons[["layer", "neuron"]].reset_index(drop=True)
        logits = neuron_value_logits(self.model, table, self.numbers.number_ids)
        return Maps(table, prompts, np.ascontiguousarray(k_map.T.numpy()), logits)

    def late(self, prompts: pd.DataFrame, sites: Sequence[Site]) -> Activations:
        """Activations of the late layer at "="."""
        tokens = self.numbers.encode(prompts)
        places: dict[str, Any] = {"layers": [HEURISTICS_LAYER], "positions": [-1]}
        return capture(self.model, tokens, sites, keep_logits=False, **places)


def localize(subject: Subject, pairs: pd.DataFrame, n_heads: int) -> set[Hashable]:
    """The heads and the MLPs (at a position) with the largest mean indirect effects.

    As many of each as are planted; heads by the pipeline's ranking, over all positions. Without
    pairs nothing is found.
    """
    if not len(pairs):
        return set()
    tokens = subject.numbers.encode(pairs)
    other = subject.numbers.encode(counterfactual_prompts(pairs))
    source = capture(subject.model, other, ("z", "mlp_post"), positions=POSITIONS)
    effects = patch_components(
        subject.model, tokens, source, *subject.answer_ids(pairs)
    ).indirect_effect()
    heads = ranked_heads([effects[..., :-1]])[:n_heads]
    return {("head", head.layer, head.head) for head in heads} | _top_mlps(effects[..., -1])


def _top_mlps(effects: Float64[np.ndarray, "prompt position layer"]) -> set[Hashable]:
    mean = effects.mean(axis=0)
    order = np.argsort(-mean, axis=None, kind="stable")[: len(PLANTED_MLPS)]
    places = zip(*np.unravel_index(order, mean.shape), strict=True)
    return {("mlp", int(layer), POSITIONS[position]) for position, layer in places}


def planted_components(heads: pd.DataFrame) -> set[Hashable]:
    """The planted heads (columns layer, head, kind) and MLPs, as `localize` names them."""
    planted = heads[heads["kind"] == "planted"]
    places = zip(planted["layer"].tolist(), planted["head"].tolist(), strict=True)
    return {("head", *place) for place in places} | set(PLANTED_MLPS)


def late_importance(
    subject: Subject, pairs: pd.DataFrame, rule: ImportanceRule
) -> Float64[np.ndarray, "layer neuron"]:
    """Importance of every late neuron by attribution, 0 in earlier layers and without pairs."""
    values = np.zeros((subject.model.n_layers, subject.model.d_mlp))
    if not len(pairs):
        return values
    found = attribute(
        subject.model,
        subject.numbers.encode(pairs),
        *subject.answer_ids(pairs),
        subject.late(pairs, ("z", "mlp_post")),
        subject.late(counterfactual_prompts(pairs), ("z", "mlp_post")),
    )
    values[HEURISTICS_LAYER] = importance(found.neurons[:, 0].numpy(), rule).values[0]
    return values


def most_important(values: Float64[np.ndarray, "layer neuron"], n_neurons: int) -> set[int]:
    """The late neurons with the largest importance; none where all are 0."""
    if not values.any():
        return set()
    layer: dict[str, int] = {"first_heuristics_layer": HEURISTICS_LAYER}
    return set(top_neurons(values, per_layer=n_neurons, **layer)["neuron"].tolist())
