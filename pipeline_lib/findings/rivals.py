"""Heuristics or Fourier: what explains the maps, which periods they have, what a helix carries."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline_lib.findings.tables import Tables, rows_of, studied
from pipeline_lib.findings.words import NONE, between, clauses, counted, decimal, listed, sentence
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

COMPARED = {
    "choices": ("heuristics", "modes"),
    "coefficients": ("heuristics_twice", "modes"),
    "trend": ("heuristics_trend", "modes_trend"),
}
"""Fair pairs (definitions 15): of as many choices, coefficients, choices beside a trend."""
TARGET_NAMES = {
    "op1": "operand 1",
    "op2": "operand 2",
    "sum": "a + b",
    "difference": "a − b",
    "result": "the result",
}
NEAR = 0.01
"""A period is that of a whole number if it is no farther from it, relatively."""
SHORT = 12
"""Periods up to here are named one by one; longer ones vary as slowly as wide ranges do."""
N_PERIODS = 3
BOOTSTRAP_SEED = 0
RIVALS_OF_HELIX = {
    "polynomial": "that of polynomials with as many parameters",
    "components": "as many principal components",
}


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Heuristics minus modes of each pair of `COMPARED`: mean over neurons, 95 % interval."""
    pairs = rows[[name for pair in COMPARED.values() for name in pair]].to_numpy(np.float64)
    gaps = pairs[:, 0::2] - pairs[:, 1::2]
    low, high = bootstrap_mean_interval(gaps, generator(BOOTSTRAP_SEED, "findings", "rivals"))
    return pd.DataFrame({"mean": gaps.mean(axis=0), "low": low, "high": high}, index=list(COMPARED))


def explained(tables: Tables, operator: str) -> pd.DataFrame:
    """One operator's neurons whose maps have variance."""
    rows = rows_of(tables["fig_rivals"], operator=operator)
    return rows.dropna(subset=["heuristics", "modes"])


def verdict(rows: pd.DataFrame) -> str:
    """Which rival explains more however it is counted; "depends" or "open" where none does."""
    if rows.empty:
        return "none"
    found = differences(rows)
    signs = set(np.sign(found["low"]) * (np.sign(found["low"]) == np.sign(found["high"])))
    if signs == {1.0}:
        return "heuristics"
    if signs == {-1.0}:
        return "modes"
    return "open" if signs == {0.0} else "depends"


def verdicts(tables: Tables, operators: Sequence[str]) -> dict[str, str]:
    """`verdict` of every operator that was studied."""
    return {op: verdict(explained(tables, op)) for op in studied(tables, operators)}


def winners(tables: Tables, operators: Sequence[str]) -> str:
    """Which rival explains more in which operators."""
    words = clauses(
        verdicts(tables, operators),
        {
            "heuristics": "heuristics explain more of the neurons' maps than Fourier modes in {}",
            "modes": "Fourier modes explain more of the neurons' maps than heuristics in {}",
            "depends": "which explains more depends on how terms are counted in {}",
            "open": "neither explains measurably more in {}",
            "none": "there are no maps to explain in {}",
        },
    )
    return sentence(words) or "No maps were explained."


def one_rival(tables: Tables, operators: Sequence[str]) -> str:
    """Whether one rival wins in every operator."""
    found = set(verdicts(tables, operators).values()) - {"none"}
    if not found:
        return "The rivals were not compared."
    if found == {"heuristics"}:
        return "Heuristics win against Fourier modes in every operator compared."
    if found == {"modes"}:
        return "Fourier modes win against heuristics in every operator compared."
    return "Neither rival, heuristics or Fourier modes, wins in every operator."


def numbers(tables: Tables, operator: str) -> tuple[str, str, str]:
    """Mean shares that both rivals explain in one operator, and their difference."""
    rows = explained(tables, operator)
    if rows.empty:
        return NONE, NONE, NONE
    mean, gap = rows.mean(numeric_only=True), differences(rows).loc["choices"]
    ends = between(gap["low"], gap["high"])
    return decimal(mean["heuristics"]), decimal(mean["modes"]), f"{decimal(gap['mean'])} {ends}"


def strongest_modes(tables: Tables, operator: str) -> pd.DataFrame:
    """Of every neuron the strongest mode, with ``whole``: the short whole number its period is."""
    rows = rows_of(tables["fig_neuron_spectra"], operator=operator, panel="strongest")
    period = rows["period"].to_numpy(np.float64)
    is_whole = (period <= SHORT * (1 + NEAR)) & (np.abs(period - np.round(period)) <= NEAR * period)
    return rows.assign(whole=np.where(is_whole, np.round(period), np.nan))


def periods(tables: Tables, operator: str) -> str:
    """The short whole periods that are the strongest of most neurons, with how many."""
    modes = strongest_modes(tables, operator).dropna(subset=["whole"])
    common = modes[["target", "whole"]].value_counts().head(N_PERIODS).reset_index()
    return ", ".join(
        f"{float(row['whole']):.0f} in {TARGET_NAMES[row['target']]} {row['count']}"
        for _, row in common.iterrows()
    )


def whole_periods(tables: Tables, operators: Sequence[str]) -> str:
    """Over all operators, the short whole periods in the order of how many neurons have them."""
    modes = [strongest_modes(tables, op) for op in studied(tables, operators)]
    modes = [each for each in modes if len(each)]
    if not modes:
        return "No spectra were made."
    table = pd.concat(modes)
    counts = table["whole"].value_counts().head(6)
    total = counted(int(table["whole"].notna().sum()), len(table))
    words = listed([f"{whole:.0f} ({n})" for whole, n in counts.items()])
    said = f"A short whole period is the strongest of {total} neurons"
    return f"{said}: {words}." if words else f"{said}."


def helix_cells(tables: Tables, rival: str) -> tuple[int, int]:
    """In how many patched places a helix recovers more than a rival by intervals; of how many."""
    patches = rows_of(tables["fig_helix"], measure="patch")
    where = ["operator", "position", "layer"]
    ends = patches.set_index([*where, "name"])[["low", "high"]].unstack("name")
    if ends.empty or ("low", "helix") not in ends or ("high", rival) not in ends:
        return 0, 0
    pair = ends[[("low", "helix"), ("high", rival)]].dropna()
    return int((pair.iloc[:, 0] > pair.iloc[:, 1]).sum()), len(pair)


def helix(tables: Tables, periods: Sequence[int]) -> str:
    """Whether the subspace of the helix carries more than rivals of the same dimension."""
    parts, won = [], []
    for rival, name in RIVALS_OF_HELIX.items():
        more, total = helix_cells(tables, rival)
        if total:
            parts.append(f"than {name} in {counted(more, total)} places")
            won.append(2 * more > total)
    if not parts:
        return "No helix was patched."
    special = "special" if all(won) else "not special"
    named = listed([f"{period}" for period in periods])
    return (
        f"A helix of periods {named} is {special}: patched, "
        f"its subspace recovers measurably more {listed(parts)} (operator, position, layer)."
    )
