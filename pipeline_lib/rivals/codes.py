"""How a model writes numbers: spectra, helix fits and patched subspaces of its residuals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Int64

from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rivals.helix import FIT_COLUMNS, fit_table, helix_basis, polynomial_basis
from pipeline_lib.rivals.numbers import Encode, NumberStates, number_states
from pipeline_lib.rivals.patching import (
    PATCH_COLUMNS,
    SubspacePatcher,
    draw_pairs,
    other_prompts,
    recovery,
)
from pipeline_lib.rivals.places import N_RANDOM, PATCHED, TOKENS
from pipeline_lib.rivals.spectra import null_spectra, number_spectrum
from pipeline_lib.rivals.subspaces import (
    Subspace,
    fitted_subspace,
    principal_subspace,
    random_subspace,
)
from pipeline_lib.rivals.waves import frequencies
from pipeline_lib.rng import generator

WHERE = ["operator", "position", "layer"]
SPECTRUM_COLUMNS = [*WHERE, "period", "power", "null_low", "null_high", "null_largest"]


@dataclass(frozen=True)
class CodeSettings:
    """What is measured: see `RivalsSection`."""

    periods: Sequence[int]
    prompts_per_number: int
    draws: int
    pairs: int
    seed: int


@dataclass(frozen=True)
class Codes:
    """Tables of all that was measured."""

    spectra: pd.DataFrame
    fits: pd.DataFrame
    patches: pd.DataFrame


def number_codes(
    model: LanguageModel,
    encode: Encode,
    number_ids: Int64[np.ndarray, " number"],
    prompts: Mapping[str, pd.DataFrame],
    *,
    settings: CodeSettings,
) -> Codes:
    """`operator_codes` of every operator, one after the other.

    ``number_ids`` are the tokens of 0, 1, ...; ``prompts`` are correct prompts by operator.
    """
    parts = [
        operator_codes(model, encode, number_ids, operator, table, settings)
        for operator, table in progress(prompts.items(), "numbers of every operator")
    ]
    return Codes(
        _joined([part.spectra for part in parts], SPECTRUM_COLUMNS),
        _joined([part.fits for part in parts], [*WHERE, *FIT_COLUMNS]),
        _joined([part.patches for part in parts], [*WHERE, *PATCH_COLUMNS]),
    )


def operator_codes(
    model: LanguageModel,
    encode: Encode,
    number_ids: Int64[np.ndarray, " number"],
    operator: str,
    prompts: pd.DataFrame,
    settings: CodeSettings,
) -> Codes:
    """Spectra and fits of residuals at every position and layer, patches of their subspaces.

    The prompts of the patched pairs are not fitted on. Without prompts there are no rows. Columns:
    `SPECTRUM_COLUMNS`, `WHERE` and `FIT_COLUMNS`, `WHERE` and `PATCH_COLUMNS`. Definitions 12.
    """
    rng = generator(settings.seed, "number_codes", operator)
    pairs = draw_pairs(prompts, settings.pairs, rng)
    rest = _without(prompts, [pairs, other_prompts(pairs)])
    spectra, fits, patches = [], [], []
    for position in TOKENS if len(rest) else ():
        states = number_states(model, encode, rest, position, settings.prompts_per_number, rng)
        for layer in states.layers:
            where = {"operator": operator, "position": position, "layer": layer}
            found = _rotated(states.layer(layer).astype(np.float64))
            spectra.append(_spectrum(found, states.numbers, settings, rng).assign(**where))
            table = fit_table(
                found, states.numbers, settings.periods, n_draws=settings.draws, rng=rng
            )
            fits.append(table.assign(**where))
        if position in PATCHED and len(pairs):
            rows = _patch(model, encode, number_ids, pairs, position, states, settings, rng)
            patches.append(rows.assign(operator=operator, position=position))
    return Codes(
        _joined(spectra, SPECTRUM_COLUMNS),
        _joined(fits, [*WHERE, *FIT_COLUMNS]),
        _joined(patches, [*WHERE, *PATCH_COLUMNS]),
    )


def _spectrum(
    states: Float[np.ndarray, "number dimension"],
    numbers: Int[np.ndarray, " number"],
    settings: CodeSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Power at every period, with the central 95 % of the null and its largest power (95 %)."""
    found = frequencies(int(np.ptp(numbers)) + 1, settings.periods)
    if not len(found):
        return pd.DataFrame(columns=SPECTRUM_COLUMNS)
    null = null_spectra(states, numbers, found, rng, settings.draws)
    low, high = np.quantile(null, [0.025, 0.975])
    return pd.DataFrame(
        {
            "period": 1 / found,
            "power": number_spectrum(states, numbers, found),
            "null_low": low,
            "null_high": high,
            "null_largest": np.quantile(null.max(axis=1), 0.95),
        }
    )


def _rotated(states: Float[np.ndarray, "number d_model"]) -> Float[np.ndarray, "number dimension"]:
    """The residuals less their mean on their own principal axes: as many as numbers at most.

    Nothing that is measured here depends on the axes, and wide models become small.
    """
    centred = states - states.mean(axis=0)
    if states.shape[1] <= states.shape[0]:
        return centred
    return centred @ np.linalg.svd(centred, full_matrices=False)[2].T


def _patch(
    model: LanguageModel,
    encode: Encode,
    number_ids: Int64[np.ndarray, " number"],
    pairs: pd.DataFrame,
    position: str,
    states: NumberStates,
    settings: CodeSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Recovery by every kind of subspace (`PATCH_COLUMNS`) at every layer."""
    answers = pairs[["answer", "cf_answer"]].to_numpy(np.int64)
    tokens = encode(pairs)
    patcher = SubspacePatcher(
        model,
        tokens,
        encode(other_prompts(pairs)),
        torch.from_numpy(number_ids[answers]),
        tokens.shape[1] + TOKENS[position],
        states.layers,
    )
    rows = []
    for name, chosen in _subspaces(states, settings.periods, rng):
        change = np.mean([patcher.changes(one) for one in chosen], axis=0)
        for place, (layer, subspace) in enumerate(chosen[0].items()):
            dimension = model.d_model if subspace is None else subspace.shape[1]
            shares = recovery(change[place], patcher.whole, rng)
            rows.append((layer, name, dimension, *shares, len(pairs)))
    return pd.DataFrame(rows, columns=["layer", *PATCH_COLUMNS])


def _subspaces(
    states: NumberStates, periods: Sequence[int], rng: np.random.Generator
) -> Iterator[tuple[str, list[dict[int, Subspace | None]]]]:
    """Name of every kind of subspace, and one or several of it at every layer.

    All but the whole residual have the dimension of the helix at their layer.
    """
    found = {layer: states.layer(layer) for layer in states.layers}
    basis = helix_basis(states.numbers, periods)
    helix = {layer: fitted_subspace(basis, x) for layer, x in found.items()}
    size = {layer: subspace.shape[1] for layer, subspace in helix.items()}
    curve = polynomial_basis(states.numbers, basis.shape[1])
    yield "whole", [dict.fromkeys(found)]
    yield "helix", [dict(helix)]
    yield "polynomial", [{layer: fitted_subspace(curve, x) for layer, x in found.items()}]
    yield "components", [{layer: principal_subspace(x, size[layer]) for layer, x in found.items()}]
    yield (
        "random",
        [
            {layer: random_subspace(x.shape[1], size[layer], rng) for layer, x in found.items()}
            for _ in range(N_RANDOM)
        ],
    )


def _without(table: pd.DataFrame, left_out: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The prompts that are in none of some other tables."""
    taken = pd.concat([part[["a", "b"]] for part in left_out])
    pairs = set(taken.itertuples(index=False, name=None))
    kept = [pair not in pairs for pair in table[["a", "b"]].itertuples(index=False, name=None)]
    return table[np.array(kept, dtype=bool)].reset_index(drop=True)


def _joined(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """The tables that have rows, one after the other."""
    filled = [part for part in parts if len(part)] or [pd.DataFrame(columns=list(columns))]
    return pd.concat(filled, ignore_index=True)[list(columns)]
