"""Parts 2, 3 and 6 on the task that the model can do: sweeps, critical layers, generality."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.critical import Critical, find_critical
from pipeline_lib.odd_one_out.generality import measure_generality
from pipeline_lib.odd_one_out.pairs import PairSet, align, margin, prompt_logits
from pipeline_lib.odd_one_out.places import PLACES, Replacement
from pipeline_lib.odd_one_out.sweeping import (
    Cells,
    component_names,
    cost_table,
    necessity,
    necessity_table,
    sufficiency,
    sufficiency_table,
)
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.odd_one_out import CONTROLS


@dataclass(frozen=True)
class SweepSettings:
    """Sizes of the sweeps."""

    pairs: int = 20
    component_pairs: int = 12
    replacements: tuple[Replacement, ...] = ("zero", "mean", "resample")
    window: int = 3
    heads: int = 3
    every: int = 5
    generality_pairs: int = 60
    control_pairs: int = 20
    seed: int = 42


@dataclass(frozen=True)
class Sweeps:
    """Tables in the sweeps' format, the critical slice, candidate logits by sweep, costs."""

    necessity: pd.DataFrame
    sufficiency: pd.DataFrame
    generality: pd.DataFrame
    critical: Critical
    logits: dict[str, Cells]
    costs: pd.DataFrame


def load_pairs(
    model: LanguageModel, table: pd.DataFrame, task: str, kinds: Sequence[str] | None = None
) -> PairSet:
    """The passing pairs of a task, or its controls of the ``kinds`` given, as token tables."""
    own = table[(table["task"] == task) & table["aligned"]]
    if kinds is None:
        chosen = own[own["passes"] & ~own["kind"].isin(CONTROLS)]
    else:
        chosen = own[own["kind"].isin(kinds)]
    text = ["swapped", "replacement", "kept", "answer", "corrupt_answer", "wrong"]
    chosen = chosen.assign(**{name: chosen[name].fillna("") for name in text})
    return align(model.tokenizer, chosen.reset_index(drop=True))[0]


def spread_over_classes(pairs: PairSet, n: int, rng: np.random.Generator) -> PairSet:
    """Up to ``n`` pairs, as evenly as can be over the classes, in the order of the pairs."""
    order = rng.permutation(len(pairs))
    turn = pairs.table["class"].iloc[order].groupby(pairs.table["class"].iloc[order]).cumcount()
    ranked = order[np.argsort(turn.to_numpy(), kind="stable")]
    return pairs.take(np.sort(ranked[:n]))


def run_sweeps(
    model: LanguageModel, table: pd.DataFrame, choice: dict[str, Any], settings: SweepSettings
) -> Sweeps:
    """All sweeps over the task's passing pairs."""
    rng = generator(settings.seed, "odd_one_out", "sweeps")
    passing = load_pairs(model, table, choice["task"])
    pairs = spread_over_classes(passing, settings.pairs, rng)
    few = spread_over_classes(pairs, settings.component_pairs, rng)
    floor, layers = float(choice["noise_floor"]), range(model.n_layers)
    names = component_names(model.n_heads)
    residual = [model.n_heads + 1]
    parts = list(range(model.n_heads + 1))
    logits: dict[str, Cells] = {}

    cells = sufficiency(model, pairs, layers, residual)
    clean = margin(prompt_logits(model, pairs, "clean"))
    by_layer = sufficiency_table(cells, clean, floor, layers, names[-1:], PLACES, rng)
    logits["sufficiency_residual"] = cells

    at = ("swapped", "query")
    cells = sufficiency(model, few, layers, parts, at)
    clean = margin(prompt_logits(model, few, "clean"))
    by_part = sufficiency_table(cells, clean, floor, layers, names[:-1], at, rng)
    logits["sufficiency_components"] = cells
    critical = find_critical(by_layer, by_part, settings.window, settings.heads)

    necessary = []
    for by in settings.replacements:
        cells = necessity(model, pairs, by, layers, residual, seed=settings.seed)
        necessary.append(necessity_table(cells, by, layers, names[-1:], PLACES, rng))
        logits[f"necessity_residual_{by}"] = cells
        cells = necessity(model, pairs, by, critical.layers, parts, at, seed=settings.seed)
        necessary.append(necessity_table(cells, by, critical.layers, names[:-1], at, rng))
        logits[f"necessity_components_{by}"] = cells
    costs = {name: (len(c.before), c.cost) for name, c in logits.items()}

    general, more = measure_generality(
        model,
        spread_over_classes(passing, settings.generality_pairs, rng),
        {
            kind: spread_over_classes(
                load_pairs(model, table, choice["task"], [kind]), settings.control_pairs, rng
            )
            for kind in CONTROLS
        },
        critical,
        every=settings.every,
        seed=settings.seed,
        rng=rng,
    )
    costs |= more
    return Sweeps(
        pd.concat(necessary, ignore_index=True),
        pd.concat([by_layer, by_part], ignore_index=True),
        general,
        critical,
        logits,
        cost_table(costs),
    )
