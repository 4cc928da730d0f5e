"""A whole sweep, from the table of pairs to what is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.artifacts.power import StoredSweep
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.power.baseline import Answers
from pipeline_lib.power.measure import choose_pairs
from pipeline_lib.power.prompts import read_pair_prompts
from pipeline_lib.power.sweeping import Part, sweep_pairs
from pipeline_lib.power.tables import region_names, region_table
from pipeline_lib.sweeps import recovery


@dataclass(frozen=True)
class SweepDone:
    """What a sweep leaves: the arrays, the table by region, what it cost."""

    sweep: StoredSweep
    regions: pd.DataFrame
    cost: dict[str, int | float]


def run_sweep(
    model: LanguageModel,
    pairs: pd.DataFrame,
    tokens: pd.DataFrame,
    *,
    part: Part,
    question: str,
    true_variants: Sequence[str],
    false_variants: Sequence[str],
    noise: float,
    n_pairs: int,
    shown: int | str,
    seed: int,
) -> SweepDone:
    """Sweep one part of the model over up to ``n_pairs`` of the pairs that are to be swept.

    ``pairs`` and ``tokens`` are the tables of the answers (`pair_table`, `token_rows`), ``noise``
    the noise floor (nats), ``shown`` as in `choose_pairs`. Raises PromptError, TokenizerError,
    ActivationError.
    """
    lines = choose_pairs(pairs, n_pairs, shown, seed)
    chosen = pairs.set_index("line").loc[lines].reset_index()
    prompts = read_pair_prompts(model.tokenizer, chosen, question)
    found = sweep_pairs(model, prompts, Answers.of(model, true_variants, false_variants), part)
    source = chosen["source"].to_numpy("float64")
    stored = StoredSweep(
        found.lines,
        found.layers,
        found.components,
        found.places,
        found.base,
        source,
        found.after,
        recovery(found.after, found.base, source, noise),
    )
    regions = region_table(
        found.base,
        source,
        found.after,
        region_names(tokens, found.lines, found.places),
        layers=found.layers,
        components=found.components,
        seed=seed,
    )
    return SweepDone(stored, regions, {"pairs": len(lines), **found.cost})
