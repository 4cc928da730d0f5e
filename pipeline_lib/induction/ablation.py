"""Which heads make the drift: ablating the z of each, and of several together (parts 3, 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from pipeline_lib.induction.baseline import named_places
from pipeline_lib.induction.kinds import KINDS, Kind
from pipeline_lib.induction.measures import absolute_error, drift, logit_difference, p_x, predictive
from pipeline_lib.interventions import ablate_candidates, capture
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.stimuli.sequences import (
    NAMED_COUNTS,
    SymbolPrompts,
    Symbols,
    orders_of,
    read_orders,
)
from pipeline_lib.sweeps import COLUMNS, replaced, tabulate

MEASURES = ("drift", "logit_drift", "mae", "named_drift", "named_mae")
"""Over all orders of three and three: drift of P(X) and of the logit difference (which does not
saturate), error to a counter; drift and error over the three named orders alone."""
SWEEP_COLUMNS = ["kind", "measure", *COLUMNS, "of_symbols", "share", "rank"]
JOINT_COLUMNS = [
    "kind", "chosen", "k", "heads", "measure", "value", "low", "high", "n", "what",
]  # fmt: skip
EXPECTED = float(predictive(np.array(NAMED_COUNTS[0]), np.array(NAMED_COUNTS[1])))
ROWS = 4096
"""Prompts whose ablations run in one call."""


@dataclass(frozen=True)
class Subject:
    """The orders of three and three of one pair of symbols, and what replaces z under each kind."""

    model: LanguageModel
    prompts: SymbolPrompts
    fillings: Mapping[str, Float[Tensor, "layer token head d_head"] | None]

    @classmethod
    def of(cls, model: LanguageModel, symbols: Symbols, *, prepend_bos: bool) -> "Subject":
        """All orders; the mean is over them, position by position."""
        orders = orders_of(*NAMED_COUNTS)
        prompts = read_orders(model.tokenizer, orders, symbols, prepend_bos=prepend_bos)
        z = replaced(capture(model, prompts.tokens, ["z"]), "mean").site("z")
        return cls(model, prompts, {"zero": None, "mean": z[0].transpose(0, 1)})

    def logits(
        self, masks: Bool[Tensor, "set layer head"], kind: Kind
    ) -> Float64[np.ndarray, "set order 2"]:
        """Logits of X and Y after every order with the heads of each set ablated."""
        n_orders = len(self.prompts.tokens)
        parts = [np.empty((0, n_orders, 2))]
        for part in masks.split(max(1, ROWS // n_orders)):
            logits = ablate_candidates(
                self.model,
                self.prompts.tokens.repeat(len(part), 1),
                part.repeat_interleave(n_orders, 0),
                self.prompts.candidates.repeat(len(part), 1),
                value="zero" if (filling := self.fillings[kind]) is None else filling,
            )
            parts.append(logits.numpy().reshape(len(part), n_orders, 2))
        return np.concatenate(parts)

    def measured(
        self, masks: Bool[Tensor, "set layer head"], kind: Kind
    ) -> dict[str, Float64[np.ndarray, " set"]]:
        """`MEASURES` of every set, and mean P(X)."""
        logits = self.logits(masks, kind)
        found = p_x(logits)
        named = found[:, named_places(self.prompts.orders)]
        return {
            "drift": drift(found),
            "logit_drift": drift(logit_difference(logits)),
            "mae": absolute_error(found, EXPECTED),
            "named_drift": drift(named),
            "named_mae": absolute_error(named, EXPECTED),
            "p_x": found.mean(1),
        }


def open_subjects(
    model: LanguageModel, pairs: Sequence[Symbols], *, prepend_bos: bool
) -> list[Subject]:
    """Every pair of symbols, the studied one first."""
    return [Subject.of(model, symbols, prepend_bos=prepend_bos) for symbols in pairs]


def every_head(model: LanguageModel) -> Bool[Tensor, "head_set layer head"]:
    """One set a head, layer by layer."""
    n = model.n_layers * model.n_heads
    return torch.eye(n, dtype=torch.bool).reshape(n, model.n_layers, model.n_heads)


def no_head(model: LanguageModel) -> Bool[Tensor, "1 layer head"]:
    """The empty set."""
    return torch.zeros(1, model.n_layers, model.n_heads, dtype=torch.bool)


def sweep_heads(subjects: Sequence[Subject], floor: float, seed: int) -> pd.DataFrame:
    """Drift and error without each head, under each kind of ablation (`SWEEP_COLUMNS`).

    Rows are those of `tabulate`, over pairs of symbols; position is "all". ``effect`` of the drift
    is what ablation takes away of it, of the error what it adds. ``of_symbols`` is the effect for
    the first pair alone, ``share`` that over its drift (NaN within the noise ``floor``), ``rank``
    its place among the heads, 1 the largest.
    """
    model = subjects[0].model
    before = _table([subject.measured(no_head(model), "zero") for subject in subjects])
    tables = []
    for kind in KINDS:
        after = _table([subject.measured(every_head(model), kind) for subject in subjects])
        for measure in MEASURES:
            rng = generator(seed, "ablate_orders", kind, measure)
            sign = -1 if measure.endswith("drift") else 1
            clean = before[measure][:, 0]
            cells = after[measure].reshape(len(subjects), 1, model.n_layers, model.n_heads)
            effect = sign * (cells - clean[:, None, None, None])
            table = tabulate(
                clean, cells, effect, places=["all"], layers=range(model.n_layers),
                components=[f"head_{head}" for head in range(model.n_heads)], rng=rng,
            )  # fmt: skip
            own = effect[0, 0].flatten()
            share = own / clean[0] if _counts(measure, float(clean[0]), floor) else own * np.nan
            ranks = (-own).argsort(kind="stable").argsort() + 1
            tables.append(
                table.assign(kind=kind, measure=measure, of_symbols=own, share=share, rank=ranks)
            )
    return pd.concat(tables, ignore_index=True)[SWEEP_COLUMNS]


def _counts(measure: str, clean: float, floor: float) -> bool:
    """Whether a share of it means anything: of a drift of P(X) above the noise."""
    return measure in ("drift", "named_drift") and clean > floor


def _table(found: Sequence[Mapping[str, Float[np.ndarray, " set"]]]) -> dict[str, Any]:
    """Measures of several subjects side by side: [subject set]."""
    return {name: np.stack([values[name] for values in found]) for name in found[0]}


def ranking(sweep: pd.DataFrame, kind: Kind) -> list[tuple[int, int]]:
    """Heads (layer, head), that which takes away most of the first pair's drift first."""
    rows = sweep[(sweep["kind"] == kind) & (sweep["measure"] == "drift")].sort_values("rank")
    heads = rows["component"].str.removeprefix("head_").astype(int)
    return list(zip(rows["layer"].astype(int), heads, strict=True))


def set_of(model: LanguageModel, heads: Sequence[tuple[int, int]]) -> Bool[Tensor, "layer head"]:
    """A mask of some heads."""
    mask = torch.zeros(model.n_layers, model.n_heads, dtype=torch.bool)
    for layer, head in heads:
        mask[layer, head] = True
    return mask


def joint_ablation(
    subjects: Sequence[Subject], sweep: pd.DataFrame, sizes: Sequence[int], n_random: int, seed: int
) -> pd.DataFrame:
    """Drift and error without the top k heads, and without k random ones, for each size k.

    Heads are ranked on the first pair of symbols (`ranking`). ``chosen``: "top" is the first pair,
    exact, "top_others" the mean over the other pairs with its bootstrap interval, "random" the mean
    over ``n_random`` sets of k heads on the first pair, with the middle 95 % of the sets. Columns
    `JOINT_COLUMNS`; ``what`` says what ``n`` counts, and what the interval is of.
    """
    model = subjects[0].model
    tables = []
    for kind in KINDS:
        ranked = ranking(sweep, kind)
        top = top_sets(model, ranked, sizes)
        found = _table([subject.measured(top, kind) for subject in subjects])
        rng = generator(seed, "ablate_orders", "intervals", kind)
        drawn = random_sets(model, sizes, n_random, seed, kind)
        chance = subjects[0].measured(drawn.flatten(0, 1), kind)
        for measure in (*MEASURES, "p_x"):
            sets = chance[measure].reshape(len(sizes), n_random)
            parts = [
                _exact(found[measure][0], sizes, ranked),
                _others(found[measure][1:], sizes, rng),
                _random(sets, sizes),
            ]
            tables += [part.assign(kind=kind, measure=measure) for part in parts]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True)[JOINT_COLUMNS]


def top_sets(
    model: LanguageModel, ranked: Sequence[tuple[int, int]], sizes: Sequence[int]
) -> Bool[Tensor, "k layer head"]:
    """The first k heads, for each size k."""
    return torch.stack([set_of(model, ranked[:k]) for k in sizes])


def random_sets(
    model: LanguageModel, sizes: Sequence[int], n_random: int, seed: int, kind: Kind
) -> Bool[Tensor, "k draw layer head"]:
    """``n_random`` sets of k heads for each size k."""
    n = model.n_layers * model.n_heads
    rng = generator(seed, "ablate_orders", "random", kind)
    order = rng.permuted(np.tile(np.arange(n), (len(sizes), n_random, 1)), axis=-1)
    chosen = order < np.array(sizes)[:, None, None]
    return torch.from_numpy(chosen).reshape(len(sizes), n_random, model.n_layers, model.n_heads)


def _exact(
    values: Float[np.ndarray, " k"], sizes: Sequence[int], ranked: Sequence[tuple[int, int]]
) -> pd.DataFrame:
    heads = [" ".join(f"L{layer}H{head}" for layer, head in ranked[:k]) for k in sizes]
    return pd.DataFrame(
        {
            "chosen": "top", "k": sizes, "heads": heads, "value": values,
            "low": np.nan, "high": np.nan, "n": 1, "what": "first pair of symbols",
        }
    )  # fmt: skip


def _others(
    values: Float[np.ndarray, "pair k"], sizes: Sequence[int], rng: np.random.Generator
) -> pd.DataFrame:
    """Mean over other pairs of symbols; nothing without any."""
    if not len(values):
        return pd.DataFrame()
    low, high = bootstrap_mean_interval(values, rng)
    return pd.DataFrame(
        {
            "chosen": "top_others", "k": sizes, "heads": "",
            "value": values.mean(0), "low": low, "high": high, "n": len(values),
            "what": "other pairs of symbols, interval of their mean",
        }
    )  # fmt: skip


def _random(values: Float[np.ndarray, "k draw"], sizes: Sequence[int]) -> pd.DataFrame:
    low, high = np.quantile(values, [0.025, 0.975], axis=1)
    return pd.DataFrame(
        {
            "chosen": "random", "k": sizes, "heads": "", "value": values.mean(1),
            "low": low, "high": high, "n": values.shape[1],
            "what": "random sets, middle 95 % of them",
        }
    )  # fmt: skip
