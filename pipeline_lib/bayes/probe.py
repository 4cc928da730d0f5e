"""Part 2: a linear probe reads the posterior from the residual, layer by layer.

Targets take one value for each number of X, so a probe that tells these apart looks perfect on new
prompts. It has read the posterior only if it predicts it for a number of X it was not fitted on,
better than probes fitted on other targets, and better than a straight line in the number of X: a
residual that merely counts gives that much.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64

from pipeline_lib.bayes.columns import MEASURES, PREDICTION_COLUMNS, PROBE_COLUMNS
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.bayes.ridge import fit_ridge, predict_unseen, r2, r2_interval
from pipeline_lib.bayes.running import LastPosition, read_last
from pipeline_lib.interventions import norm_gradient, normed
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator
from pipeline_lib.stats import ends_of
from pipeline_lib.stimuli.bernoulli import BernoulliTask, balanced_counts, draw_sequences

ON_TEST = ("other_template", "unseen_both")
"""Measures on the test prompts; the others are on those of the fit."""
STAGE = "bayes_probe"
Columns = Float64[np.ndarray, "prompt target"]


@dataclass(frozen=True)
class ProbeSettings:
    """Sizes and templates of the belief probe; ``controls`` draws of shuffled labels."""

    train: int
    test: int
    train_template: str
    test_template: str
    alpha: float
    layer_stride: int
    controls: int
    seed: int


@dataclass(frozen=True)
class Probed:
    """Scores by layer, predictions at the best layer, and the probe of every layer.

    ``weights`` and ``intercept`` read the belief from the normed residual; ``directions`` are unit
    vectors of the residual stream along which this reading grows fastest, on average.
    """

    scores: pd.DataFrame
    predictions: pd.DataFrame
    layers: tuple[int, ...]
    weights: Float64[np.ndarray, "layer d_model"]
    intercept: Float64[np.ndarray, " layer"]
    directions: Float64[np.ndarray, "layer d_model"]


@dataclass(frozen=True)
class Labels:
    """Targets of the training and the test prompts: the beliefs, then shuffled and reassigned.

    ``shuffled`` exchanges the beliefs of prompts, ``reassigned`` those of the numbers of X: what
    can be read of these is which number of X it is, and not the posterior.
    """

    names: tuple[str, ...]
    train: Columns
    test: Float64[np.ndarray, "other target"]

    def of(self, name: str) -> Int64[np.ndarray, " column"]:
        """Columns with this kind of labels."""
        return np.flatnonzero(np.array(self.names) == name)


def probe_prompts(
    task: BernoulliTask, settings: ProbeSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test prompts, balanced over the number of X.

    Sequences of the test recur in the training only where there are too few orders.
    """
    rng = generator(settings.seed, STAGE, "sequences")
    sizes = [balanced_counts(task.draws, total) for total in (settings.train, settings.test)]
    train, test = {}, {}
    for n_x, (first, second) in enumerate(zip(*sizes, strict=True)):
        drawn = draw_sequences(n_x, task.draws, int(first + second), rng)
        train[n_x], test[n_x] = drawn[:first], drawn[len(drawn) - second :]
    return (
        task.prompts(train, settings.train_template),
        task.prompts(test, settings.test_template),
    )


def make_labels(
    task: BernoulliTask, train: pd.DataFrame, test: pd.DataFrame, n: int, rng: np.random.Generator
) -> Labels:
    """Beliefs, and ``n`` draws of both controls."""
    beliefs = [task.hypotheses.belief(*task.counts(part)) for part in (train, test)]
    columns = [[belief] for belief in beliefs]
    every = np.arange(task.draws + 1)
    by_n_x = task.hypotheses.belief(every, task.draws - every)
    for _ in range(n):
        for column, belief in zip(columns, beliefs, strict=True):
            column.append(rng.permutation(belief))
    for _ in range(n):
        other = rng.permutation(by_n_x)
        for column, part in zip(columns, (train, test), strict=True):
            column.append(other[part["n_x"].to_numpy(np.int64)])
    names = ("belief", *("shuffled",) * n, *("reassigned",) * n)
    return Labels(names, *(np.stack(column, axis=1) for column in columns))


def probe_beliefs(model: LanguageModel, task: BernoulliTask, settings: ProbeSettings) -> Probed:
    """Fit and test a probe at every ``layer_stride``-th layer, the last one included."""
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    train, test = probe_prompts(task, settings)
    layers = list(range(model.n_layers - 1, -1, -settings.layer_stride))[::-1]
    runs = [read_last(model, part["text"].tolist(), outcomes, layers) for part in (train, test)]
    rng = generator(settings.seed, STAGE, "controls")
    labels = make_labels(task, train, test, settings.controls, rng)
    counted = _counted(train, test, labels, settings.alpha)
    scores, predictions, probes = [], [], []
    for column, layer in progress(list(enumerate(layers)), "layers", unit="layer"):
        x, other_x = (normed(model, run.resid[:, column]).numpy() for run in runs)
        found = _predictions(x, other_x, train, test, labels, settings.alpha)
        scores += _scores(layer, found, counted, train, test, labels, rng)
        predictions.append(_prediction_table(layer, found, train, test, labels))
        probes.append(_direction(model, runs[0], column, x, labels.train[:, :1], settings.alpha))
    table = _with_best(pd.DataFrame(scores))
    best = int(table.loc[table["best"], "layer"].iloc[0])
    weights, intercept, directions = (np.stack(part) for part in zip(*probes, strict=True))
    return Probed(
        table,
        predictions[layers.index(best)],
        tuple(layers),
        weights,
        intercept,
        directions,
    )


def _counted(
    train: pd.DataFrame, test: pd.DataFrame, labels: Labels, alpha: float
) -> dict[str, np.ndarray]:
    """Predictions of the beliefs from the number of X alone: what a count that is read gives."""
    x, other_x = (part["n_x"].to_numpy(np.float64)[:, None] for part in (train, test))
    belief = Labels(labels.names[:1], labels.train[:, :1], labels.test[:, :1])
    return _predictions(x, other_x, train, test, belief, alpha)


def _predictions(
    x: np.ndarray,
    other_x: np.ndarray,
    train: pd.DataFrame,
    test: pd.DataFrame,
    labels: Labels,
    alpha: float,
) -> dict[str, np.ndarray]:
    """Predictions of all labels, by what they are tested on (`MEASURES`)."""
    fit = fit_ridge(x, labels.train, alpha)
    groups, other_groups = (part["n_x"].to_numpy(np.int64) for part in (train, test))
    unseen, both = predict_unseen(x, labels.train, groups, other_x, other_groups, alpha)
    values = (fit.predict(x), fit.predict(other_x), unseen, both)
    return dict(zip(MEASURES, values, strict=True))


def _scores(
    layer: int,
    found: dict[str, np.ndarray],
    counted: dict[str, np.ndarray],
    train: pd.DataFrame,
    test: pd.DataFrame,
    labels: Labels,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """R2 of the beliefs with a bootstrap interval; of the controls, mean and spread of the draws.

    On unseen numbers of X these are what is drawn, otherwise prompts. ``count``: the beliefs read
    from the number of X alone, the same in every layer.
    """
    rows: list[dict[str, object]] = []
    for measure, predicted in found.items():
        prompts, y = (test, labels.test) if measure in ON_TEST else (train, labels.train)
        n_x = prompts["n_x"].to_numpy(np.int64)
        groups = n_x if measure.startswith("unseen") else np.arange(len(n_x))
        common = {"layer": layer, "measure": measure, "n": len(np.unique(groups))}
        ends = r2_interval(y[:, 0], predicted[:, 0], groups, rng)
        line = counted[measure][:, 0]
        bare, by_count = float(r2(y[:, 0], line)), r2_interval(y[:, 0], line, groups, rng)
        rows.append({**common, "labels": "count", "r2": bare} | _named(by_count))
        for name in dict.fromkeys(labels.names):
            columns = labels.of(name)
            values = r2(y[:, columns], predicted[:, columns])
            named = _named(ends if name == "belief" else ends_of(values))
            rows.append({**common, "labels": name, "r2": float(values.mean())} | named)
    return rows


def _named(ends: tuple[float | np.ndarray, float | np.ndarray]) -> dict[str, float]:
    """The ends of an interval by column."""
    return {"low": float(ends[0]), "high": float(ends[1])}


def _prediction_table(
    layer: int,
    found: dict[str, np.ndarray],
    train: pd.DataFrame,
    test: pd.DataFrame,
    labels: Labels,
) -> pd.DataFrame:
    parts = []
    for measure, predicted in found.items():
        part, y = (test, labels.test) if measure in ON_TEST else (train, labels.train)
        told = {"layer": layer, "measure": measure, "belief": y[:, 0], "predicted": predicted[:, 0]}
        parts.append(part.assign(**told)[PREDICTION_COLUMNS])
    return pd.concat(parts, ignore_index=True)


def _direction(
    model: LanguageModel,
    run: LastPosition,
    column: int,
    x: np.ndarray,
    belief: Columns,
    alpha: float,
) -> tuple[np.ndarray, float, np.ndarray]:
    """Weights and intercept of the probe, and its unit direction in the residual stream."""
    fit = fit_ridge(x, belief, alpha)
    weights = fit.weights[:, 0]
    gradient = norm_gradient(model, run.resid[:, column], torch.from_numpy(weights))
    mean = gradient.mean(0).numpy()
    return weights, float(fit.intercept[0]), mean / max(float(np.linalg.norm(mean)), 1e-30)


def _with_best(table: pd.DataFrame) -> pd.DataFrame:
    """Marks the layer whose probe of the belief is best on unseen numbers in unseen words."""
    chosen = (table["labels"] == "belief") & (table["measure"] == "unseen_both")
    best = table.loc[table.loc[chosen, "r2"].fillna(-np.inf).idxmax(), "layer"]
    return table.assign(best=table["layer"] == best)[PROBE_COLUMNS]
