"""Part 4: push the residual along the probe's direction and see whether P(X) follows.

The step is the one that changes the probe's reading by what is asked, to first order; random
directions get a step of the same length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from pipeline_lib.bayes.columns import EDIT_COLUMNS, PROBE, SLOPE_COLUMNS
from pipeline_lib.bayes.probe import ProbeSettings, probe_prompts
from pipeline_lib.bayes.readout import OutcomeTokens, share_of
from pipeline_lib.bayes.running import read_last
from pipeline_lib.interventions import (
    Activations,
    Patches,
    norm_gradient,
    normed,
    patch_candidates,
)
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stats import ends_of, rank_p_value
from pipeline_lib.stimuli.bernoulli import BernoulliTask
from pipeline_lib.stimuli.text import by_length, read_prompts, token_table

STAGE = "bayes_steering"
RESAMPLES = 2000


@dataclass(frozen=True)
class Probe:
    """The probe of one layer: what reads the belief, and the unit direction that moves it."""

    layer: int
    weights: Float64[np.ndarray, " d_model"]
    direction: Float64[np.ndarray, " d_model"]


@dataclass(frozen=True)
class SteeringSettings:
    """Numbers of prompts and of random directions, and the changes of the belief asked for."""

    prompts: int
    changes: tuple[float, ...]
    random_directions: int
    seed: int


@dataclass(frozen=True)
class Steered:
    """Every edit (`EDIT_COLUMNS`), and the slope of each direction (`SLOPE_COLUMNS`)."""

    edits: pd.DataFrame
    slopes: pd.DataFrame


def steer(
    model: LanguageModel,
    task: BernoulliTask,
    probe: Probe,
    probing: ProbeSettings,
    settings: SteeringSettings,
) -> Steered:
    """Steer some of the probe's test prompts at its layer, at the last position."""
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    rng = generator(settings.seed, STAGE, "choices")
    _, test = probe_prompts(task, probing)
    chosen = np.sort(rng.permutation(len(test))[: settings.prompts])
    prompts = test.iloc[chosen].reset_index(drop=True)
    directions = {PROBE: probe.direction} | {
        f"random_{i}": random_direction(len(probe.direction), rng)
        for i in range(settings.random_directions)
    }
    run = read_last(model, prompts["text"].tolist(), outcomes, [probe.layer])
    resid = run.resid[:, 0].double()
    edits = plan_edits(model, task, prompts, resid, probe, settings.changes, list(directions))
    moved = _moved(resid, edits, directions)
    edits["read"] = _readings(model, moved, probe) - _readings(
        model, resid[edits["prompt"].tolist()], probe
    )
    after = _patched(model, outcomes, prompts["text"].tolist(), probe.layer, edits, moved)
    before = outcomes.log_odds(run.output)[edits["prompt"].to_numpy()]
    edits = edits.assign(before=share_of(before), after=share_of(after))
    edits["change"] = edits["after"] - edits["before"]
    return Steered(edits[EDIT_COLUMNS], slopes(edits, probe.layer, rng))


def random_direction(n: int, rng: np.random.Generator) -> Float64[np.ndarray, " d_model"]:
    """A unit vector, every direction equally likely."""
    drawn = rng.normal(size=n)
    return drawn / np.linalg.norm(drawn)


def plan_edits(
    model: LanguageModel,
    task: BernoulliTask,
    prompts: pd.DataFrame,
    resid: Float64[Tensor, "prompt d_model"],
    probe: Probe,
    changes: Sequence[float],
    directions: Sequence[str],
) -> pd.DataFrame:
    """One row for every prompt, change of the belief and direction, with the length of its step.

    Changes that would lead out of 0 to 1 are not asked of a prompt. ``asked`` is the change of the
    predictive that belongs to that of the belief. The step has the sign that raises the reading;
    prompts whose reading the direction does not move are left out.
    """
    gradient = norm_gradient(model, resid, torch.from_numpy(probe.weights.copy())).numpy()
    rate = gradient @ probe.direction
    counts = task.counts(prompts)
    belief, per_belief = task.hypotheses.belief(*counts), task.hypotheses.slope(*counts)
    rows = [
        (prompt, int(counts[0][prompt]), name, change, change * per_belief[prompt],
         change / rate[prompt])
        for prompt in range(len(prompts))
        for change in changes
        if 0 <= belief[prompt] + change <= 1 and abs(rate[prompt]) > 1e-12
        for name in directions
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=EDIT_COLUMNS[:6])


def _moved(
    resid: Float64[Tensor, "prompt d_model"], edits: pd.DataFrame, directions: dict[str, np.ndarray]
) -> Float64[Tensor, "edit d_model"]:
    """Residual of every edit."""
    along = np.zeros((len(edits), resid.shape[1]))
    for row, (name, step) in enumerate(zip(edits["direction"], edits["step"], strict=True)):
        along[row] = step * directions[name]
    return resid[edits["prompt"].tolist()] + torch.from_numpy(along)


def _readings(
    model: LanguageModel, resid: Float64[Tensor, "edit d_model"], probe: Probe
) -> Float64[np.ndarray, " edit"]:
    """What the probe reads, up to its intercept."""
    return normed(model, resid).numpy() @ probe.weights


def _patched(
    model: LanguageModel,
    outcomes: OutcomeTokens,
    texts: Sequence[str],
    layer: int,
    edits: pd.DataFrame,
    moved: Float64[Tensor, "edit d_model"],
) -> Float64[np.ndarray, " edit"]:
    """Log-odds after every edit; prompts of one length run together."""
    prompts = read_prompts(model.tokenizer, texts)
    found = np.full(len(edits), np.nan)
    owner = edits["prompt"].to_numpy()
    for rows in by_length(prompts).values():
        mine = np.flatnonzero(np.isin(owner, rows))
        tokens = token_table([prompts[row] for row in rows])
        prompt = torch.from_numpy(np.searchsorted(rows, owner[mine]))
        last = tokens.shape[1] - 1
        values = moved[mine][:, None, None]
        source = Activations(tokens[prompt], (last,), (layer,), resid_post=values)
        whole = torch.full_like(prompt, model.n_heads + 1)
        patches = Patches(
            prompt,
            torch.full_like(prompt, last),
            torch.full_like(prompt, layer),
            whole,
            source=torch.arange(len(prompt)),
        )
        _, after = patch_candidates(model, tokens, source, patches, outcomes.table(len(rows)))
        found[mine] = outcomes.log_odds(after.numpy())
    return found


def slopes(edits: pd.DataFrame, layer: int, rng: np.random.Generator) -> pd.DataFrame:
    """Change of P(X) for each unit asked for, by direction: least squares through 0.

    The probe's with its 95 % bootstrap interval over prompts and p, the rank of its size among the
    random directions (two-sided); ``random``: mean and spread of theirs. 1 is what was asked for.
    """
    n_prompts = edits["prompt"].nunique()
    by_direction = {name: _slope(part) for name, part in edits.groupby("direction", sort=False)}
    others = np.array([value for name, value in by_direction.items() if name != PROBE])
    own = by_direction.get(PROBE, float("nan"))
    low, high = _slope_interval(edits[edits["direction"] == PROBE], rng)
    p = rank_p_value(abs(own), np.abs(others))
    random_low, random_high = ends_of(others) if len(others) else (np.nan, np.nan)
    mean = float(others.mean()) if len(others) else float("nan")
    rows = [
        (PROBE, own, low, high, p, n_prompts, layer),
        ("random", mean, float(random_low), float(random_high), np.nan, n_prompts, layer),
    ]
    return pd.DataFrame(rows, columns=SLOPE_COLUMNS)


def _slope(part: pd.DataFrame) -> float:
    asked, change = (part[name].to_numpy(np.float64) for name in ("asked", "change"))
    square = float(asked @ asked)
    return float(asked @ change) / square if square else float("nan")


def _slope_interval(part: pd.DataFrame, rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval over prompts."""
    sums = (
        part.assign(product=part["asked"] * part["change"], square=part["asked"] ** 2)
        .groupby("prompt")[["product", "square"]]
        .sum()
        .to_numpy()
    )
    if len(sums) < 2:
        return float("nan"), float("nan")
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    totals = drawn @ sums
    low, high = ends_of(totals[:, 0] / totals[:, 1])
    return float(low), float(high)
