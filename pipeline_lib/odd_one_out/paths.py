"""Parts 4 and 5: backup heads, paths to the critical slice, retrieval heads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline_lib.interventions import (
    Path,
    Receiver,
    Sender,
    direct_effects,
    patch_paths,
)
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.pairs import PairSet, margin, prompt_logits
from pipeline_lib.odd_one_out.places import capture_group
from pipeline_lib.odd_one_out.study import load_pairs, spread_over_classes
from pipeline_lib.odd_one_out.sweeping import (
    COST,
    component_names,
    cost_table,
    sufficiency,
    sufficiency_table,
)
from pipeline_lib.odd_one_out.tables import tabulate_changes
from pipeline_lib.pieces import resumed
from pipeline_lib.rng import generator
from pipeline_lib.stats import (
    benjamini_hochberg,
    bootstrap_mean_interval,
    flips_for,
    sign_flip_p_values,
)

Head = tuple[int, int, str]
"""Layer, head, and the place it writes at: the swapped name's last token, or the query."""
AT = ("swapped", "query")
ABLATION = ["heads", "position", "receiver", "draw", "effect", "low", "high", "n"]
RETRIEVAL = "retrieval"


@dataclass(frozen=True)
class PathSettings:
    """Sizes of parts 4 and 5."""

    pairs: int = 20
    probes: int = 10
    retrieval_heads: int = 6
    draws: int = 10
    seed: int = 42


@dataclass(frozen=True)
class Paths:
    """Tables of parts 4 and 5."""

    hydra: pd.DataFrame
    paths: pd.DataFrame
    retrieval: pd.DataFrame
    ablation: pd.DataFrame
    costs: pd.DataFrame


def run_paths(
    model: LanguageModel,
    table: pd.DataFrame,
    choice: dict[str, Any],
    critical: Critical,
    settings: PathSettings,
) -> Paths:
    """Backup heads, direct paths to the critical slice, retrieval heads and their ablation."""
    rng = generator(settings.seed, "odd_one_out", "paths")
    pairs = spread_over_classes(load_pairs(model, table, choice["task"]), settings.pairs, rng)
    hydra = hydra_check(model, pairs, critical, rng)
    retrieval, cost = probe_retrieval(model, table, choice, settings, rng)
    heads = retrieval_heads(retrieval, critical, settings.retrieval_heads)
    singles = [
        (((layer, head, place),), receiver)
        for place in AT
        for receiver in receivers(critical, place)
        for layer in range(receiver.layer)
        for head in range(model.n_heads)
    ]
    draws = random_sets(heads, critical, model.n_heads, settings.draws, rng)
    sets = [
        (tuple(h for h in chosen if h[2] == place), receiver)
        for chosen in [heads, *draws]
        for place in AT
        for receiver in receivers(critical, place)
    ]
    sets = [(senders_below(chosen, receiver), receiver) for chosen, receiver in sets]
    before, after, spent = path_margins(model, pairs, [*singles, *[s for s in sets if s[0]]])
    cells = [
        (chosen[0][0], f"H{chosen[0][1]}", f"{chosen[0][2]} > {name_of(receiver)}")
        for chosen, receiver in singles
    ]
    n = len(singles)
    found = tabulate_changes(before[:, :n], after[:, :n], cells, rng)
    ablation = ablation_table(before[:, n:], after[:, n:], sets, heads, len(draws) + 1, rng)
    costs = pd.concat([cost, cost_table({"paths": (len(pairs), spent)})], ignore_index=True)
    return Paths(hydra, found, retrieval, ablation, costs[COST])


def receivers(critical: Critical, place: str) -> list[Receiver]:
    """What reads heads at a place: the critical heads read names, the critical MLP the query."""
    if place == "query":
        return [Receiver("mlp", critical.mlp)]
    return [Receiver("head", layer, head) for layer, head in critical.heads]


def name_of(receiver: Receiver) -> str:
    """Layer and part of a receiver."""
    part = "MLP" if receiver.kind == "mlp" else f"H{receiver.head}"
    return f"L{receiver.layer} {part}"


def senders_below(heads: Sequence[Head], receiver: Receiver) -> tuple[Head, ...]:
    """Those of the heads that the receiver can read."""
    return tuple(head for head in heads if head[0] < receiver.layer)


def hydra_check(
    model: LanguageModel, pairs: PairSet, critical: Critical, rng: np.random.Generator
) -> pd.DataFrame:
    """Direct effects before and after the critical slice is ablated, in the sweeps' columns.

    Heads and MLPs of the critical layers at the query get the corrupt run's values. Further
    columns: ``is_slice``; ``q``, the false discovery rate (sign flips over pairs, all components
    above the slice) at which the change is not 0; NaN elsewhere, where nothing can change.
    """
    slice_ = [(layer, part) for layer in critical.layers for part in range(model.n_heads + 1)]
    shape = (len(pairs), model.n_layers * (model.n_heads + 1))
    before, after = np.empty(shape), np.empty(shape)
    for rows in pairs.groups().values():
        group = pairs.take(rows)
        tokens = group.tokens("clean")
        ids = answer_and_rival(model, group)
        source = capture_group(model, group, "corrupt", ("z", "mlp_post"))
        for target, ablated in ((before, []), (after, slice_)):
            found = direct_effects(model, tokens, ids, ablated=ablated, source=source)
            both = torch.cat([found.heads, found.mlps[..., None]], -1)
            target[rows] = both.flatten(1).double().numpy()
    names = component_names(model.n_heads)[:-1]
    cells = [(layer, name, "query") for layer in range(model.n_layers) for name in names]
    table = tabulate_changes(before, after, cells, rng)
    above = (table["layer"] > critical.layers[-1]).to_numpy()
    p = np.full(len(table), np.nan)
    p[above] = sign_flip_p_values((after - before)[:, above], rng, flips_for(int(above.sum())))
    inside = table["layer"].isin(critical.layers)
    return table.assign(is_slice=inside, q=benjamini_hochberg(p))


def answer_and_rival(model: LanguageModel, group: PairSet) -> torch.Tensor:
    """Tokens of the answer and of the wrong candidate with the largest logit when clean."""
    logits = prompt_logits(model, group, "clean")
    rival = torch.from_numpy(1 + logits[:, 1:].argmax(1))
    return torch.stack([group.token_ids[:, 0], group.token_ids.gather(1, rival[:, None])[:, 0]], 1)


def probe_retrieval(
    model: LanguageModel,
    table: pd.DataFrame,
    choice: dict[str, Any],
    settings: PathSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sufficiency of every head in one-name probes, and its cost; empty without such probes."""
    probes = load_pairs(model, table, "one_name") if (table["task"] == "one_name").any() else None
    names = component_names(model.n_heads)[:-2]
    if probes is None or not len(probes):
        empty = pd.DataFrame(columns=["layer", "component", "position", "effect", "low", "high"])
        return empty, pd.DataFrame(columns=COST)
    probes = spread_over_classes(probes, settings.probes, rng)
    layers = range(model.n_layers)
    cells = sufficiency(model, probes, layers, list(range(model.n_heads)), AT)
    clean = margin(prompt_logits(model, probes, "clean"))
    found = sufficiency_table(cells, clean, float(choice["noise_floor"]), layers, names, AT, rng)
    return found, cost_table({"retrieval_probes": (len(probes), cells.cost)})


def retrieval_heads(retrieval: pd.DataFrame, critical: Critical, n: int) -> list[Head]:
    """The heads that recover most of one-name probes, of layers the critical slice can read."""
    top = max([critical.mlp, *(layer for layer, _ in critical.heads)])
    ranked = retrieval[retrieval["layer"] < top].sort_values("effect", ascending=False).head(n)
    return [
        (int(layer), int(name[1:]), str(place))
        for layer, name, place in ranked[["layer", "component", "position"]].to_numpy()
    ]


def random_sets(
    heads: Sequence[Head], critical: Critical, n_heads: int, draws: int, rng: np.random.Generator
) -> list[list[Head]]:
    """Sets of other heads of the same layers and places, as many of each as there are."""
    found = []
    for _ in range(draws):
        chosen: list[Head] = []
        for layer, _, place in heads:
            left = [
                (layer, head, place)
                for head in range(n_heads)
                if (layer, head, place) not in heads and (layer, head, place) not in chosen
            ]
            if left:
                chosen.append(left[int(rng.integers(len(left)))])
        found.append(chosen)
    return found


def path_margins(
    model: LanguageModel,
    pairs: PairSet,
    wanted: Sequence[tuple[tuple[Head, ...], Receiver]],
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Margins of the clean prompts before and after each path carries the corrupt run; the cost."""
    clean = margin(prompt_logits(model, pairs, "clean"))
    after = np.empty((len(pairs), len(wanted)))
    spent = loop = 0
    groups = pairs.groups()

    def patched(of: tuple[tuple[int, int, int], np.ndarray]) -> tuple[np.ndarray]:
        (n_tokens, _, last), rows = of
        group = pairs.take(rows)
        source = capture_group(model, group, "corrupt", ("z",))
        paths = _paths_of(wanted, n_tokens, last)
        found = patch_paths(model, group.tokens("clean"), source, paths, group.token_ids)
        return (margin(found.numpy()).T,)

    steps = progress(groups.items(), "paths", len(groups))
    for ((n_tokens, _, last), rows), (margins,) in resumed(steps, patched):
        after[rows] = margins
        paths = _paths_of(wanted, n_tokens, last)
        above = sum(
            (model.n_layers - 1 - p.receiver.layer) * (n_tokens - p.position) for p in paths
        )
        spent += len(rows) * (n_tokens * model.n_layers + above)
        loop += len(rows) * (1 + len(paths)) * n_tokens * model.n_layers
    cost = {
        "patches": float(len(wanted) * len(pairs)), "token_layers": float(spent),
        "loop_token_layers": float(loop), "times_less": loop / max(spent, 1),
    }  # fmt: skip
    return np.repeat(clean[:, None], len(wanted), 1), after, cost


def _paths_of(
    wanted: Sequence[tuple[tuple[Head, ...], Receiver]], n_tokens: int, last: int
) -> list[Path]:
    """The paths in prompts of ``n_tokens`` whose swapped name ends at ``last``."""
    at = {"swapped": last, "query": n_tokens - 1}
    return [
        Path(tuple(Sender(layer, head, at[place]) for layer, head, place in heads), receiver)
        for heads, receiver in wanted
    ]


def ablation_table(
    before: np.ndarray,
    after: np.ndarray,
    sets: Sequence[tuple[tuple[Head, ...], Receiver]],
    heads: Sequence[Head],
    n_sets: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Change of the margin by the joint path of each set; the first set is that of retrieval heads.

    Columns `ABLATION`; ``draw`` numbers the random sets from 0, -1 is no random set.
    """
    rows, column = [], 0
    per_set = len(sets) // n_sets if n_sets else 0
    for number, (chosen, receiver) in enumerate(sets):
        if not chosen:
            continue
        change = after[:, column] - before[:, column]
        column += 1
        low, high = bootstrap_mean_interval(change, rng)
        draw = number // per_set - 1
        name = RETRIEVAL if draw < 0 else "random"
        facts = (name, chosen[0][2], name_of(receiver), draw)
        rows.append((*facts, change.mean(), float(low), float(high), len(change)))
    return pd.DataFrame(rows, columns=ABLATION)
