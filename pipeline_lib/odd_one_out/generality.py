"""Part 6: the same tests over the grid, by class and overall, beside the negative controls."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.pairs import PairSet, margin, prompt_logits
from pipeline_lib.odd_one_out.sweeping import Cells, necessity, sufficiency
from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.sweeps import COLUMNS, tabulate

AT = ("swapped", "query")


def tested_layers(n_layers: int, every: int, critical: Critical) -> list[int]:
    """Every so many layers, and the critical one."""
    return sorted({*range(0, n_layers, every), critical.layer})


def measure_generality(
    model: LanguageModel,
    pairs: PairSet,
    controls: Mapping[str, PairSet],
    critical: Critical,
    *,
    every: int,
    seed: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, tuple[int, dict[str, float]]]]:
    """Sweep table with the columns test, group and is_control, and costs of the sweeps.

    Tests: ``gap`` (margin clean minus corrupt, at no layer), ``sufficiency`` (clean residual into
    corrupt) and ``necessity`` (the mean over prompts into clean), at the swapped name and at the
    query; effects are changes of the margin (nats), which controls have too. Groups: "all",
    every super-class, every kind of control.
    """
    layers = tested_layers(model.n_layers, every, critical)
    parts: list[pd.DataFrame] = []
    costs: dict[str, tuple[int, dict[str, float]]] = {}
    for name, chosen in {"all": pairs, **controls}.items():
        if not len(chosen):
            continue
        cells = {
            "sufficiency": sufficiency(model, chosen, layers, [model.n_heads + 1], AT),
            "necessity": necessity(
                model, chosen, "mean", layers, [model.n_heads + 1], AT, seed=seed
            ),
        }
        clean = margin(prompt_logits(model, chosen, "clean"))
        parts += grouped(chosen, cells, clean, layers, name, rng)
        costs |= {f"generality_{t}_{name}": (len(chosen), c.cost) for t, c in cells.items()}
    return pd.concat(parts, ignore_index=True), costs


def grouped(
    pairs: PairSet,
    cells: Mapping[str, Cells],
    clean: np.ndarray,
    layers: list[int],
    name: str,
    rng: np.random.Generator,
) -> list[pd.DataFrame]:
    """Tables of one set of pairs, whole and (if it is no control) of each super-class."""
    masks = {name: np.ones(len(pairs), dtype=bool)}
    if name == "all":
        supers = pairs.table["super_class"].to_numpy()
        masks |= {str(group): supers == group for group in dict.fromkeys(supers)}
    tables = []
    for group, mask in masks.items():
        facts = {"group": group, "is_control": name != "all"}
        corrupt = cells["sufficiency"].margins[0]
        tables.append(gap_row(clean[mask], corrupt[mask], rng).assign(test="gap", **facts))
        for test, found in cells.items():
            before, after = (part[mask] for part in found.margins)
            effect = after - before[:, None, None, None]
            table = tabulate(
                before, after, effect, places=AT, layers=layers, components=["residual"], rng=rng
            )
            tables.append(table.assign(test=test, **facts))
    return tables


def gap_row(clean: np.ndarray, corrupt: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The margins of both prompts and their difference, in the sweeps' columns."""
    gap = clean - corrupt
    low, high = bootstrap_mean_interval(gap, rng)
    row = (-1, "prompt", "all", corrupt.mean(), clean.mean(), gap.mean(), float(low), float(high))
    return pd.DataFrame([(*row, len(gap))], columns=list(COLUMNS))
