"""Parts 7 and 8: the subspace of the super-class in the critical layer; critical neurons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline_lib.errors import PromptError
from pipeline_lib.interventions import capture, patch_residuals
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.neurons import neuron_tables
from pipeline_lib.odd_one_out.pairs import PairSet, margin, prompt_logits
from pipeline_lib.odd_one_out.study import load_pairs, spread_over_classes
from pipeline_lib.probing.ridge import cross_validated, fit_ridge
from pipeline_lib.rivals.subspaces import moved_within, random_subspace
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval, wilson_interval
from pipeline_lib.stimuli.odd_one_out import BETWEEN, Formats, People, Task, propose
from pipeline_lib.stimuli.text import by_length, read_prompts, token_table
from pipeline_lib.sweeps import recovery

PROBE = ["variant", "rank", "accuracy", "low", "high", "chance", "n", "is_chosen"]
PATCHED = ["subspace", "rank", "recovery", "low", "high", "n", "draws", "is_chosen"]


@dataclass(frozen=True)
class SubspaceSettings:
    """Sizes of parts 7 and 8."""

    prompts: int = 240
    folds: int = 4
    ridge: float = 1.0
    ranks: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 9)
    pairs: int = 20
    draws: int = 10
    neurons: int = 20
    seed: int = 42


@dataclass(frozen=True)
class Subspaces:
    """Tables of parts 7 and 8."""

    probe: pd.DataFrame
    patches: pd.DataFrame
    neurons: pd.DataFrame
    neuron_classes: pd.DataFrame


@dataclass(frozen=True)
class ProbePrompts:
    """Prompts, the super-class of each, its fold, and activations at the query."""

    labels: np.ndarray
    names: list[str]
    folds: np.ndarray
    resid: np.ndarray
    neurons: np.ndarray


def run_subspaces(
    model: LanguageModel,
    table: pd.DataFrame,
    people: pd.DataFrame,
    formats: Formats,
    choice: dict[str, Any],
    critical: Critical,
    settings: SubspaceSettings,
) -> Subspaces:
    """Probe, rank, feature patching and neurons; nobody of the patched pairs is in the probe."""
    rng = generator(settings.seed, "odd_one_out", "subspace")
    pairs = spread_over_classes(load_pairs(model, table, choice["task"]), settings.pairs, rng)
    texts = probe_texts(people, named_in(pairs), choice["task"], formats, settings, rng)
    prompts = measure_prompts(model, texts, critical)
    ranks = [rank for rank in settings.ranks if rank < len(prompts.names)]
    probe = probe_table(prompts, ranks, settings, rng)
    chosen = int(probe.loc[probe["is_chosen"], "rank"].iloc[0])
    fitted = fit_ridge(prompts.resid, prompts.labels, len(prompts.names), settings.ridge)
    patches = patch_table(
        model, pairs, critical.layer, fitted.directions, ranks, chosen,
        draws=settings.draws, floor=float(choice["noise_floor"]), rng=rng,
    )  # fmt: skip
    neurons, classes = neuron_tables(
        model, pairs, critical.mlp, prompts.neurons, prompts.labels, prompts.names,
        n=settings.neurons, rng=rng,
    )  # fmt: skip
    return Subspaces(probe, patches, neurons, classes)


def named_in(pairs: PairSet) -> set[str]:
    """Everyone in some pairs."""
    lists = (str(text).split(BETWEEN) for text in pairs.table["kept"])
    return {
        *pairs.table["swapped"],
        *pairs.table["replacement"],
        *(n for row in lists for n in row),
    }


def probe_texts(
    people: pd.DataFrame,
    without: set[str],
    task: Task,
    formats: Formats,
    settings: SubspaceSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Prompts of the task with ``super_class`` and ``fold``; people of different folds differ.

    Raises PromptError where the table holds too few people besides those of the patched pairs.
    """
    left = people[~people["name"].isin(without)]
    left = left.iloc[rng.permutation(len(left))]
    fold = left.groupby("profession").cumcount() % settings.folds
    parts = []
    for number in range(settings.folds):
        try:
            drawn = propose(
                People(left[fold == number], least=2), task, "profession", formats,
                settings.prompts // settings.folds, rng,
            )  # fmt: skip
        except PromptError as error:
            raise PromptError(
                "Too few people are left for a fold of the probe.",
                where="odd_one_out.subspace.folds",
                value=f"{settings.folds} folds of {len(left)} people",
                hint="Fewer folds, fewer pairs to patch, or more people.",
            ) from error
        parts.append(drawn.assign(fold=number))
    return pd.concat(parts, ignore_index=True)


def measure_prompts(model: LanguageModel, texts: pd.DataFrame, critical: Critical) -> ProbePrompts:
    """Residual leaving the critical layer and neurons of the critical MLP, at the query."""
    prompts = read_prompts(model.tokenizer, texts["clean"].tolist())
    resid = np.empty((len(prompts), model.d_model))
    neurons = np.empty((len(prompts), model.d_mlp), dtype=np.float32)
    for rows in by_length(prompts).values():
        tokens = token_table([prompts[i] for i in rows])
        run = capture(
            model, tokens, ("resid_post", "mlp_post"), layers=[critical.layer, critical.mlp],
            positions=[-1], keep_logits=False,
        )  # fmt: skip
        resid[rows] = run.site("resid_post")[:, 0, 0].numpy()
        neurons[rows] = run.site("mlp_post")[:, 0, 1].numpy()
    labels, names = pd.factorize(texts["super_class"], sort=True)
    return ProbePrompts(labels, list(map(str, names)), texts["fold"].to_numpy(), resid, neurons)


def probe_table(
    prompts: ProbePrompts,
    ranks: Sequence[int],
    settings: SubspaceSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Cross-validated accuracy by rank, of the probe and of one with shuffled labels (`PROBE`).

    ``is_chosen`` marks the smallest rank within a standard error of the best one.
    """
    n = len(prompts.labels)
    chance = float(np.bincount(prompts.labels).max() / n)
    rows = []
    for variant, control in (("probe", None), ("shuffled labels", rng)):
        right = cross_validated(
            prompts.resid, prompts.labels, prompts.folds, ranks,
            ridge=settings.ridge, shuffled=control,
        ).mean(axis=1)  # fmt: skip
        low, high = wilson_interval(right, np.full(len(ranks), n))
        chosen = chosen_rank(ranks, right, n) if control is None else None
        rows += [
            (variant, rank, a, b, c, chance, n, rank == chosen)
            for rank, a, b, c in zip(ranks, right, low, high, strict=True)
        ]
    return pd.DataFrame(rows, columns=PROBE)


def chosen_rank(ranks: Sequence[int], accuracy: np.ndarray, n: int) -> int:
    """The smallest rank whose accuracy is within one standard error of the best."""
    best = float(accuracy.max())
    enough = best - np.sqrt(best * (1 - best) / n)
    return int(min(rank for rank, a in zip(ranks, accuracy, strict=True) if a >= enough))


def patch_table(
    model: LanguageModel,
    pairs: PairSet,
    layer: int,
    directions: np.ndarray,
    ranks: Sequence[int],
    chosen: int,
    *,
    draws: int,
    floor: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Recovery when clean is patched into corrupt, of the residual at the query (`PATCHED`).

    Whole, the probe's subspace of each rank, its complement, and the mean over random subspaces of
    that rank; intervals over pairs.
    """
    named: list[tuple[str, int, np.ndarray | None]] = [("whole", model.d_model, None)]
    for rank in ranks:
        named.append(("probe", rank, directions[:, :rank]))
        named.append(("complement", rank, directions[:, :rank]))
        named += [("random", rank, random_subspace(model.d_model, rank, rng)) for _ in range(draws)]
    after = subspace_margins(model, pairs, layer, named)
    base, clean = (margin(prompt_logits(model, pairs, which)) for which in ("corrupt", "clean"))
    values = recovery(after, base, clean, floor)
    rows = []
    for name, rank in dict.fromkeys((name, rank) for name, rank, _ in named):
        columns = [i for i, (n, r, _) in enumerate(named) if (n, r) == (name, rank)]
        each = values[:, columns].mean(axis=1)
        each = each[np.isfinite(each)]
        low, high = bootstrap_mean_interval(each, rng)
        mean = float(each.mean()) if len(each) else np.nan
        is_chosen = rank == chosen or name == "whole"
        rows.append((name, rank, mean, float(low), float(high), len(each), len(columns), is_chosen))
    return pd.DataFrame(rows, columns=PATCHED)


def subspace_margins(
    model: LanguageModel,
    pairs: PairSet,
    layer: int,
    named: Sequence[tuple[str, int, np.ndarray | None]],
) -> np.ndarray:
    """Margins [pair, patch] of the corrupt prompts after patches of the residual at the query."""
    after = np.empty((len(pairs), len(named)))
    for rows in pairs.groups().values():
        group = pairs.take(rows)
        both = {}
        for which in ("corrupt", "clean"):
            run = capture(
                model, group.tokens(which), ("resid_post",), layers=[layer], positions=[-1],
                keep_logits=False,
            )  # fmt: skip
            both[which] = run.site("resid_post")[:, 0, 0].double()
        values = torch.stack(
            [patched(both["corrupt"], both["clean"], name, basis) for name, _, basis in named]
        ).float()
        tokens = group.tokens("corrupt")
        found = patch_residuals(model, tokens, layer, tokens.shape[1] - 1, values, group.token_ids)
        after[rows] = margin(found.numpy()).T
    return after


def patched(
    base: torch.Tensor, source: torch.Tensor, name: str, basis: np.ndarray | None
) -> torch.Tensor:
    """The base residuals with the source's in a subspace, or in its complement."""
    if basis is None:
        return source
    moved = moved_within(base, source, basis)
    return base + source - moved if name == "complement" else moved
