"""What a model does with the orders before anything is ablated (part 1)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline_lib.induction.measures import absolute_error, drift, logit_difference, p_x, predictive
from pipeline_lib.interventions import capture
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.stimuli.sequences import NAMED, NAMED_COUNTS, SymbolPrompts, Symbols, read_orders
from pipeline_lib.sweeps import noise_floor

ORDER_COLUMNS = [
    "symbols", "n_x", "n_y", "order", "name", "p_x", "logit_difference", "predictive", "mass",
    "first", "is_symbol",
]  # fmt: skip
DRIFT_COLUMNS = [
    "symbols", "n_x", "n_y", "orders", "possible", "mean", "low", "high", "drift", "mae",
    "mae_low", "mae_high", "predictive", "mass", "answered", "noise_floor",
]  # fmt: skip


def symbols_name(symbols: Symbols) -> str:
    """A pair of symbols as tables have it."""
    return "/".join(symbols)


def measure_orders(
    model: LanguageModel,
    orders: pd.DataFrame,
    pairs: Sequence[Symbols],
    *,
    prepend_bos: bool,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """P(X) after every order (`ORDER_COLUMNS`); drift and error by counts (`DRIFT_COLUMNS`).

    The first pair has all orders, the others those of `NAMED_COUNTS` alone.
    """
    rows, drifts = [], []
    for place, symbols in enumerate(pairs):
        for _, part in orders.groupby(["n_x", "n_y"], sort=False):
            n_x, n_y = int(part["n_x"].iloc[0]), int(part["n_y"].iloc[0])
            if place and (n_x, n_y) != NAMED_COUNTS:
                continue
            prompts = read_orders(
                model.tokenizer, part["order"].tolist(), symbols, prepend_bos=prepend_bos
            )
            measured = _order_rows(model, prompts, part)
            rng = generator(seed, "induction_drift", symbols_name(symbols), n_x, n_y)
            drifts.append(_drift_row(measured, part, _floor(model, prompts), rng))
            rows.append(measured)
    found = pd.concat(rows, ignore_index=True)[ORDER_COLUMNS]
    return found, pd.DataFrame(drifts, columns=DRIFT_COLUMNS)


def _floor(model: LanguageModel, prompts: SymbolPrompts) -> float:
    return noise_floor(model, prompts.tokens, prompts.candidates, p_x)


def _order_rows(model: LanguageModel, prompts: SymbolPrompts, part: pd.DataFrame) -> pd.DataFrame:
    """P(X) of each order, and what all of the vocabulary gets: share of X and Y, first token."""
    logits = capture(model, prompts.tokens, []).logits
    assert logits is not None
    both = logits[:, prompts.symbol_ids].double()
    mass = (both.logsumexp(-1) - logits.double().logsumexp(-1)).exp()
    first = logits.argmax(-1)
    words = model.tokenizer.convert_ids_to_tokens(first.tolist())
    is_symbol = (first[:, None] == prompts.symbol_ids).any(1)
    n_x, n_y = part["n_x"].to_numpy(), part["n_y"].to_numpy()
    return pd.DataFrame(
        {
            "symbols": symbols_name(prompts.symbols),
            **{name: part[name].to_numpy() for name in ("n_x", "n_y", "order", "name")},
            "p_x": p_x(both.numpy()),
            "logit_difference": logit_difference(both.numpy()),
            "predictive": predictive(n_x, n_y),
            "mass": mass.numpy(),
            "first": words,
            "is_symbol": is_symbol.numpy(),
        }
    )


def _drift_row(
    found: pd.DataFrame, part: pd.DataFrame, floor: float, rng: np.random.Generator
) -> tuple[object, ...]:
    """One row of the drifts; intervals are of the mean over orders."""
    probability, expected = found["p_x"].to_numpy(), float(found["predictive"].iloc[0])
    low, high = bootstrap_mean_interval(probability, rng)
    far_low, far_high = bootstrap_mean_interval(np.abs(probability - expected), rng)
    first = found.iloc[0]
    return (
        first["symbols"], int(first["n_x"]), int(first["n_y"]), len(found),
        int(part["possible"].iloc[0]), float(probability.mean()), float(low), float(high),
        float(drift(probability)), float(absolute_error(probability, expected)), float(far_low),
        float(far_high), expected, float(found["mass"].mean()), float(found["is_symbol"].mean()),
        floor,
    )  # fmt: skip


def noise_floor_in(drifts: pd.DataFrame) -> float:
    """Noise floor of P(X) of the first pair's orders of three and three, from `DRIFT_COLUMNS`."""
    n_x, n_y = NAMED_COUNTS
    rows = drifts[(drifts["n_x"] == n_x) & (drifts["n_y"] == n_y)]
    return float(rows["noise_floor"].iloc[0])


def named_places(orders: Sequence[str]) -> list[int]:
    """Places of the three named orders among orders of three and three."""
    return [list(orders).index(order) for order in NAMED.values()]
