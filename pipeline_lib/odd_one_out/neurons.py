"""Part 8: neurons of the critical MLP that move the margin, and the classes they tell apart."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, Int

from pipeline_lib.interventions import (
    Patches,
    attribute_neurons,
    capture,
    patch_candidates,
)
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.pairs import PairSet, margin, prompt_logits
from pipeline_lib.stats import (
    benjamini_hochberg,
    bootstrap_mean_interval,
    flips_for,
    sign_flip_p_values,
)

NEURONS = [
    "layer", "neuron", "effect", "low", "high", "q", "exact", "exact_low", "exact_high",
    "activation_clean", "activation_corrupt", "class", "auroc", "auroc_random", "n",
]  # fmt: skip
CLASSES = ["layer", "neuron", "super_class", "mean", "standardised", "auroc", "n"]


def neuron_tables(
    model: LanguageModel,
    pairs: PairSet,
    layer: int,
    activations: Float[np.ndarray, "prompt d_mlp"],
    labels: Int[np.ndarray, " prompt"],
    names: list[str],
    *,
    n: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ``n`` neurons with the largest attributed effect, and their means by super-class.

    ``effect`` estimates the change of the margin (nats) when the corrupt run's activation at the
    query is patched into the clean prompt, ``exact`` is that patch itself. ``auroc`` is how well
    the activation tells the super-class it tells best from all others, ``auroc_random`` the mean of
    that over random neurons: the best of many classes is above 0.5 by chance.
    """
    effects, exact_of, both = measure_neurons(model, pairs, layer)
    order = np.argsort(-np.abs(effects.mean(axis=0)))[:n]
    q = benjamini_hochberg(sign_flip_p_values(effects, rng, flips_for(model.d_mlp)))
    exact = exact_of(order)
    ends = bootstrap_mean_interval(effects[:, order], rng)
    exact_ends = bootstrap_mean_interval(exact, rng)
    found = aurocs(activations[:, order], labels, len(names))
    others = rng.choice(model.d_mlp, size=min(200, model.d_mlp), replace=False)
    chance = float(aurocs(activations[:, others], labels, len(names)).max(axis=1).mean())
    best = found.argmax(axis=1)
    table = pd.DataFrame(
        {
            "layer": layer, "neuron": order, "effect": effects[:, order].mean(axis=0),
            "low": ends[0], "high": ends[1], "q": q[order], "exact": exact.mean(axis=0),
            "exact_low": exact_ends[0], "exact_high": exact_ends[1],
            "activation_clean": both[0][:, order].mean(axis=0),
            "activation_corrupt": both[1][:, order].mean(axis=0),
            "class": [names[i] for i in best], "auroc": found.max(axis=1),
            "auroc_random": chance, "n": len(pairs),
        }
    )[NEURONS]  # fmt: skip
    return table, class_table(activations, labels, names, order, found, layer)


def measure_neurons(
    model: LanguageModel, pairs: PairSet, layer: int
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Attributed effects [pair, d_mlp], a function for exact ones, activations of both runs."""
    effects = np.empty((len(pairs), model.d_mlp))
    both = np.empty((2, len(pairs), model.d_mlp))
    kept = []
    for rows in pairs.groups().values():
        group = pairs.take(rows)
        runs = [
            capture(model, group.tokens(which), ("mlp_post",), layers=[layer], positions=[-1])
            for which in ("clean", "corrupt")
        ]
        rival = torch.from_numpy(1 + prompt_logits(model, group, "clean")[:, 1:].argmax(1))
        wrong = group.token_ids.gather(1, rival[:, None])[:, 0]
        tokens, right = group.tokens("clean"), group.token_ids[:, 0]
        estimate = attribute_neurons(model, tokens, right, wrong, *runs)
        # the estimate is of half the logits' difference, wrong minus right
        effects[rows] = -2 * estimate[:, 0, 0].double().numpy()
        for number, run in enumerate(runs):
            both[number][rows] = run.site("mlp_post")[:, 0, 0].numpy()
        kept.append((rows, group, runs[1]))

    def exact(neurons: Int[np.ndarray, " neuron"]) -> Float64[np.ndarray, "pair neuron"]:
        found = np.empty((len(pairs), len(neurons)))
        for rows, group, corrupt in kept:
            n, k = len(rows), len(neurons)
            prompt = torch.arange(n).repeat_interleave(k)
            last = len(group.clean[0]) - 1
            position, layers, part = (
                torch.full_like(prompt, number) for number in (last, layer, model.n_heads)
            )
            which = torch.from_numpy(np.tile(neurons, n))
            patches = Patches(prompt, position, layers, part, which)
            before, after = patch_candidates(
                model, group.tokens("clean"), corrupt, patches, group.token_ids
            )
            change = margin(after.numpy()).reshape(n, k) - margin(before.numpy())[:, None]
            found[rows] = change
        return found

    return effects, exact, both


def aurocs(
    values: Float[np.ndarray, "prompt neuron"], labels: Int[np.ndarray, " prompt"], n_labels: int
) -> Float64[np.ndarray, "neuron label"]:
    """Chance that a prompt of a class has a larger activation than one of the others.

    Folded at 0.5, as a neuron may be silent for its class: max(a, 1 - a). NaN-free; a class without
    prompts has 0.5.
    """
    ranks = pd.DataFrame(values).rank(axis=0).to_numpy()
    found = np.full((values.shape[1], n_labels), 0.5)
    for label in range(n_labels):
        own = labels == label
        n, m = int(own.sum()), int((~own).sum())
        if n and m:
            found[:, label] = (ranks[own].sum(axis=0) - n * (n + 1) / 2) / (n * m)
    return np.maximum(found, 1 - found)


def class_table(
    activations: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    order: np.ndarray,
    found: np.ndarray,
    layer: int,
) -> pd.DataFrame:
    """Mean activation of each neuron by super-class, also in standard deviations over prompts."""
    rows = []
    for place, neuron in enumerate(order):
        values = activations[:, neuron].astype(np.float64)
        scale = values.std() or 1.0
        for label, name in enumerate(names):
            own = values[labels == label]
            standardised = (own.mean() - values.mean()) / scale
            facts = (layer, int(neuron), name, own.mean(), standardised)
            rows.append((*facts, found[place, label], len(own)))
    return pd.DataFrame(rows, columns=CLASSES)
