"""The sweeps: source values at one layer and token put into the base run, one at a time.

Every prompt runs at its own length, so tokens are aligned from the right without any padding: what
left padding with a mask would give, exactly.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64

from pipeline_lib.interventions import Activations, capture
from pipeline_lib.interventions.hooks import Site
from pipeline_lib.interventions.patches import known_zero
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.power.baseline import Answers
from pipeline_lib.power.prompts import PairPrompts
from pipeline_lib.stimuli.text import token_table
from pipeline_lib.sweeps import Grid, sweep, sweep_cost

Part = Literal["residual", "mlp", "heads"]
PARTS: tuple[Part, ...] = get_args(Part)
SITES: dict[Part, Site] = {"residual": "resid_post", "mlp": "mlp_post", "heads": "z"}


@dataclass(frozen=True)
class PowerSweep:
    """Log-ratios (nats) after every patch, NaN where a pair has no such token.

    ``lines`` are the pairs, ``places`` the tokens from the end (-1 the last), ``layers`` may begin
    with -1 (what enters the first layer), ``components`` are names.
    """

    lines: list[int]
    layers: list[int]
    components: list[str]
    places: list[int]
    base: Float64[np.ndarray, " pair"]
    after: Float64[np.ndarray, "pair layer component token"]
    cost: dict[str, int | float]

    @property
    def effect(self) -> Float64[np.ndarray, "pair layer component token"]:
        """Change of the log-ratio by each patch, in nats."""
        return self.after - self.base[:, None, None, None]


def components_of(model: LanguageModel, part: Part) -> dict[str, int]:
    """Names of a part's components and their numbers in `Patches`."""
    if part == "heads":
        return {f"head_{head}": head for head in range(model.n_heads)}
    return {part: model.n_heads + (part == "residual")}


def layers_of(model: LanguageModel, part: Part) -> list[int]:
    """Layers that are swept: all, and for residuals also what enters the first (-1)."""
    return list(range(-1 if part == "residual" else 0, model.n_layers))


def sweep_pairs(
    model: LanguageModel,
    prompts: Sequence[PairPrompts],
    answers: Answers,
    part: Part,
    *,
    skip_known: bool = True,
) -> PowerSweep:
    """Patch every layer, component and swept token of each pair, and read the log-ratio.

    ``skip_known`` leaves out patches whose result is the base run by construction: tokens before
    the first that differs, and the last layer before the last token. Raises ActivationError for NaN
    or infinite values.
    """
    layers, components = layers_of(model, part), components_of(model, part)
    width = max((pair.n_swept for pair in prompts), default=0)
    after = np.full((len(prompts), len(layers), len(components), width), np.nan)
    base, costs = np.full(len(prompts), np.nan), []
    for rows in progress(_groups(prompts), f"sweep of {part}", unit="lengths"):
        group = [prompts[i] for i in rows]
        grid = _grid(group, width, layers, list(components.values()))
        tokens, source = _runs(model, group, part, layers)
        ids = answers.of_prompts(len(group))
        found = sweep(model, tokens, source, grid, ids, skip_known=skip_known)
        base[rows] = answers.measure(found.before)
        after[rows] = answers.measure(found.after).transpose(0, 2, 3, 1)
        costs.append(_cost(model, tokens, source, grid, skip_known))
    places = list(range(-width, 0))
    lines = [pair.line for pair in prompts]
    return PowerSweep(lines, layers, list(components), places, base, after, _total(costs))


def _groups(prompts: Sequence[PairPrompts]) -> list[list[int]]:
    """Pairs whose bases have one length and whose sources have one length."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, pair in enumerate(prompts):
        groups[len(pair.base), len(pair.source)].append(i)
    return [groups[lengths] for lengths in sorted(groups)]


def _grid(
    group: Sequence[PairPrompts], width: int, layers: Sequence[int], components: Sequence[int]
) -> Grid:
    """Every swept token of every pair of a group; the places of all groups are the same."""
    n_tokens = len(group[0].base)
    places = [
        [[n_tokens + p] if -p <= pair.n_swept else [] for p in range(-width, 0)] for pair in group
    ]
    return Grid.of(places, layers, components)


def _runs(
    model: LanguageModel, group: Sequence[PairPrompts], part: Part, layers: Sequence[int]
) -> tuple[torch.Tensor, Activations]:
    """Tokens of the base runs, and the source runs' values at the positions they are put in.

    The values' tokens say what is known of the patches: where lengths differ, nothing.
    """
    tokens = token_table([pair.base for pair in group])
    longest = max(pair.n_swept for pair in group)
    run = capture(
        model,
        token_table([pair.source for pair in group]),
        (SITES[part],),
        layers=layers,
        positions=list(range(-longest, 0)),
        keep_logits=False,
    )
    n_tokens = tokens.shape[1]
    known = run.tokens if run.tokens.shape == tokens.shape else torch.full_like(tokens, -1)
    sites = {SITES[part]: run.site(SITES[part])}
    positions = tuple(range(n_tokens - longest, n_tokens))
    return tokens, Activations(known, positions, run.layers, **sites)


def _cost(
    model: LanguageModel, tokens: torch.Tensor, source: Activations, grid: Grid, skip_known: bool
) -> dict[str, int | float]:
    """Token-layers that the engine runs, and those of one whole forward pass for every cell."""
    patches = grid.patches()
    known = known_zero(model, patches, tokens, source.tokens) & skip_known
    shape = (len(tokens), tokens.shape[1], model.n_layers)
    every, run = (sweep_cost(some, *shape) for some in (patches, patches[~known]))
    return {
        "patches": every["patches"],
        "known": int(known.sum()),
        "token_layers": run["token_layers"],
        "loop_token_layers": every["loop_token_layers"],
    }


def _total(costs: Sequence[dict[str, int | float]]) -> dict[str, int | float]:
    names = ("patches", "known", "token_layers", "loop_token_layers")
    total = {name: sum(cost[name] for cost in costs) for name in names}
    ran = total["token_layers"]
    return {**total, "times_less": total["loop_token_layers"] / ran if ran else 1.0}
