"""Parts 2 and 3: which layers, heads and MLPs are necessary, and which are sufficient.

Necessity: on the clean prompt, values at a place are replaced by zero, their mean over prompts, or
another prompt's. Sufficiency: values of the clean run are patched into the corrupt prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.interventions.hooks import Site
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.pairs import PairSet, margin
from pipeline_lib.odd_one_out.places import (
    PLACES,
    Pools,
    Replacement,
    capture_group,
    places_of,
    replaced_at,
)
from pipeline_lib.rng import generator
from pipeline_lib.sweeps import Grid, recovery, sweep, sweep_cost, tabulate

COST = ["sweep", "pairs", "patches", "token_layers", "loop_token_layers", "times_less"]


@dataclass(frozen=True)
class Cells:
    """Candidate logits of a sweep over pairs of several lengths; NaN where a place is absent."""

    before: Float64[np.ndarray, "pair candidate"]
    after: Float64[np.ndarray, "pair place layer component candidate"]
    cost: dict[str, float]

    @property
    def margins(self) -> tuple[np.ndarray, np.ndarray]:
        """The margin before, and after every patch."""
        return margin(self.before), margin(self.after)


def component_names(n_heads: int) -> list[str]:
    """Names of the components by number: heads, the MLP, the residual."""
    return [*(f"H{head}" for head in range(n_heads)), "MLP", "residual"]


def sites_of(components: Sequence[int], n_heads: int) -> list[Site]:
    """The sites that hold the values of these components."""
    wanted: list[Site] = []
    if any(c < n_heads for c in components):
        wanted.append("z")
    if n_heads in components:
        wanted.append("mlp_post")
    if n_heads + 1 in components:
        wanted.append("resid_post")
    return wanted


def sufficiency(
    model: LanguageModel,
    pairs: PairSet,
    layers: Sequence[int],
    components: Sequence[int],
    places: Sequence[str] = PLACES,
) -> Cells:
    """Every cell of the clean run patched into the corrupt prompt, one at a time."""
    return _sweep(model, pairs, "corrupt", layers, components, places, None, seed=0)


def necessity(
    model: LanguageModel,
    pairs: PairSet,
    by: Replacement,
    layers: Sequence[int],
    components: Sequence[int],
    places: Sequence[str] = PLACES,
    *,
    seed: int,
) -> Cells:
    """Every cell of the clean run replaced, one at a time."""
    return _sweep(model, pairs, "clean", layers, components, places, by, seed=seed)


def _sweep(
    model: LanguageModel,
    pairs: PairSet,
    base: str,
    layers: Sequence[int],
    components: Sequence[int],
    places: Sequence[str],
    by: Replacement | None,
    *,
    seed: int,
) -> Cells:
    sites = sites_of(components, model.n_heads)
    chosen = [PLACES.index(place) for place in places]
    n = pairs.token_ids.shape[1]
    before = np.full((len(pairs), n), np.nan)
    after = np.full((len(pairs), len(chosen), len(layers), len(components), n), np.nan)
    costs: list[dict[str, int | float]] = []
    pools = None if by is None else pooled(model, pairs, sites)
    order = generator(seed, "odd_one_out", "resample").permutation(len(pairs)).tolist()
    groups = pairs.groups()
    for rows in progress(groups.values(), f"{by or 'clean'} into {base}", len(groups)):
        group = pairs.take(rows)
        where = places_of(group)
        source = capture_group(model, group, "clean", sites)
        if pools is not None and by is not None:
            source, there = replaced_at(source, pools, where, rows.tolist(), by, order)
            where = [
                [p if there[i, j] else [] for j, p in enumerate(prompt)]
                for i, prompt in enumerate(where)
            ]
        grid = Grid.of([[prompt[j] for j in chosen] for prompt in where], layers, components)
        tokens = group.tokens(base)
        swept = sweep(model, tokens, source, grid, group.token_ids, skip_known=by is None)
        before[rows], after[rows] = swept.before, swept.after
        costs.append(sweep_cost(grid.patches(), len(rows), tokens.shape[1], model.n_layers))
    return Cells(before, after, total_cost(costs))


def pooled(model: LanguageModel, pairs: PairSet, sites: Sequence[Site]) -> dict[Site, Pools]:
    """The clean values at every place of all pairs, in the order of the pairs."""
    pools = {site: Pools(site) for site in sites}
    parts: dict[int, tuple] = {}
    for rows in pairs.groups().values():
        group = pairs.take(rows)
        run, where = capture_group(model, group, "clean", sites), places_of(group)
        parts |= {int(n): (run, where, i) for i, n in enumerate(rows)}
    for number in range(len(pairs)):
        run, where, i = parts[number]
        for pool in pools.values():
            pool.add(run.prompts(slice(i, i + 1)), [where[i]])
    return pools


def total_cost(costs: Sequence[dict[str, int | float]]) -> dict[str, float]:
    """Sum over the groups of a sweep, and how many times less work it was."""
    names = ("patches", "token_layers", "loop_token_layers")
    total = {name: float(sum(cost[name] for cost in costs)) for name in names}
    total["times_less"] = total["loop_token_layers"] / max(total["token_layers"], 1.0)
    return total


def necessity_table(
    cells: Cells, by: str, layers: Sequence[int], names: Sequence[str], places: Sequence[str],
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Sweep table with column ``by``; the effect is the change of the margin (nats)."""
    before, after = cells.margins
    effect = after - before[:, None, None, None]
    table = tabulate(before, after, effect, places=places, layers=layers, components=names, rng=rng)
    return table.assign(by=by)


def sufficiency_table(
    cells: Cells, clean: Float64[np.ndarray, " pair"], floor: float, layers: Sequence[int],
    names: Sequence[str], places: Sequence[str], rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Sweep table; the effect is the recovery: 0 as the corrupt prompt, 1 as the clean one."""
    before, after = cells.margins
    effect = recovery(after, before, clean, floor)
    return tabulate(before, after, effect, places=places, layers=layers, components=names, rng=rng)


def cost_table(costs: dict[str, tuple[int, dict[str, float]]]) -> pd.DataFrame:
    """One row a sweep: pairs, patches, token-layers, those of a plain loop, how many times less."""
    rows = [{"sweep": name, "pairs": n, **cost} for name, (n, cost) in costs.items()]
    return pd.DataFrame(rows, columns=COST)
