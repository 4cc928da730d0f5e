import numpy as np
import pytest
import torch

from pipeline_lib.artifacts.belief_probe import read_best_probe, write_probes
from pipeline_lib.bayes.columns import MEASURES
from pipeline_lib.bayes.probe import (
    ProbeSettings,
    make_labels,
    probe_beliefs,
    probe_prompts,
)
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.bayes.ridge import fit_ridge, predict_unseen, r2, r2_interval
from pipeline_lib.bayes.running import read_last
from pipeline_lib.interventions import norm_gradient, normed
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.bernoulli import BernoulliTask

SETTINGS = ProbeSettings(
    train=40, test=20, train_template="base", test_template="order_irrelevant", alpha=1.0,
    layer_stride=2, controls=5, seed=3,
)  # fmt: skip


def test_ridge_by_hand():
    x, y = np.array([[-1.0], [1.0]]), np.array([[1.0], [3.0]])
    fit = fit_ridge(x, y, 2.0)  # slope: 2 / (2 + alpha)
    np.testing.assert_allclose(fit.weights, [[0.5]])
    np.testing.assert_allclose(fit.intercept, [2.0])


@pytest.mark.parametrize("rows", [5, 40])
def test_both_closed_forms_are_the_minimum(rows):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, 12)), rng.normal(size=(rows, 2))
    fit = fit_ridge(x, y, 0.7)

    def loss(weights, intercept):
        return ((y - x @ weights - intercept) ** 2).sum() + 0.7 * (weights**2).sum()

    best = loss(fit.weights, fit.intercept)
    for _ in range(20):
        nudged = fit.weights + 1e-3 * rng.normal(size=fit.weights.shape)
        assert loss(nudged, fit.intercept) > best
        assert loss(fit.weights, fit.intercept + 1e-3 * rng.normal(size=2)) > best


def test_unseen_groups_are_predicted_by_fits_without_them():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 1))
    groups = np.repeat([0, 1, 2], 3)
    other_x, other_groups = rng.normal(size=(2, 3)), np.array([1, 7])
    found, others = predict_unseen(x, y, groups, other_x, other_groups, 1.0)
    for group in range(3):
        inside = groups == group
        expected = fit_ridge(x[~inside], y[~inside], 1.0).predict(x[inside])
        np.testing.assert_allclose(found[inside], expected)
    without = fit_ridge(x[groups != 1], y[groups != 1], 1.0)
    np.testing.assert_allclose(others[0], without.predict(other_x[:1])[0])
    assert np.isnan(others[1]).all()


def test_r2_by_hand():
    y, predicted = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 2.0])
    assert r2(y, predicted) == pytest.approx(1 - 1 / 5)
    assert r2(y, np.full(4, 1.5)) == pytest.approx(0)
    assert np.isnan(r2(np.ones(3), np.zeros(3)))
    low, high = r2_interval(y, predicted, np.arange(4), generator(0))
    assert low < 0.8 < high <= 1
    assert np.isnan(r2_interval(y, predicted, np.zeros(4, dtype=np.int64), generator(0))).all()


def test_the_split_is_balanced_and_its_sequences_are_new_where_they_can_be(task):
    train, test = probe_prompts(task, SETTINGS)
    assert (len(train), len(test)) == (40, 20)
    assert set(train["template"]) == {"base"}
    assert set(test["template"]) == {"order_irrelevant"}
    assert not train["draws"].duplicated().any()
    several = test[test["n_x"].isin([2, 3, 4])]
    assert len(several)
    assert not several["draws"].isin(train["draws"]).any()
    assert task.text(test["draws"].iloc[0], "order_irrelevant") == test["text"].iloc[0]


def test_controls_keep_the_values_and_lose_their_meaning(task):
    train, test = probe_prompts(task, SETTINGS)
    labels = make_labels(task, train, test, 3, generator(0))
    assert labels.train.shape == (40, 7)
    belief = labels.train[:, 0]
    np.testing.assert_allclose(belief, task.hypotheses.belief(*task.counts(train)))
    for column in labels.of("shuffled"):
        np.testing.assert_allclose(np.sort(labels.train[:, column]), np.sort(belief))
        assert not np.array_equal(labels.train[:, column], belief)
    for column in labels.of("reassigned"):
        of_train = dict(zip(train["n_x"], labels.train[:, column], strict=True))
        of_test = dict(zip(test["n_x"], labels.test[:, column], strict=True))
        assert all(of_train[n_x] == value for n_x, value in of_test.items())
        every = task.hypotheses.belief(np.arange(7), 6 - np.arange(7))
        assert set(of_train.values()) <= set(every)


@pytest.fixture(scope="module")
def probed(model, task):
    return probe_beliefs(model, task, SETTINGS)


def test_every_layer_label_and_split_is_scored(probed):
    assert probed.layers == (1, 3)
    table = probed.scores.set_index(["layer", "labels", "measure"])
    assert len(table) == 2 * 4 * len(MEASURES)
    assert probed.scores.groupby("layer")["best"].first().sum() == 1
    own = table.xs("belief", level="labels")["r2"].unstack()
    best = probed.scores.loc[probed.scores["best"], "layer"].iloc[0]
    assert own["unseen_both"].idxmax() == best
    assert (own["train"] > own["unseen_n_x"]).all()
    assert set(probed.predictions["layer"]) == {best}


def test_a_count_alone_reads_what_a_straight_line_reads(task, probed):
    train, test = probe_prompts(task, SETTINGS)
    belief = [task.hypotheses.belief(*task.counts(part)) for part in (train, test)]
    x = train["n_x"].to_numpy(float)
    line = fit_ridge(x[:, None], belief[0][:, None], 1.0)
    table = probed.scores[probed.scores["labels"] == "count"].set_index(["measure", "layer"])["r2"]
    assert table["train", 1] == table["train", 3]
    expected = r2(belief[0], line.predict(x[:, None])[:, 0])
    assert table["train", 1] == pytest.approx(float(expected))
    other = line.predict(test["n_x"].to_numpy(float)[:, None])[:, 0]
    assert table["other_template", 1] == pytest.approx(float(r2(belief[1], other)))


def test_scores_are_those_of_the_stored_probe(model, task, probed):
    _, test = probe_prompts(task, SETTINGS)
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    run = read_last(model, test["text"].tolist(), outcomes, [3])
    x = normed(model, run.resid[:, 0]).numpy()
    predicted = x @ probed.weights[1] + probed.intercept[1]
    truth = task.hypotheses.belief(*task.counts(test))
    row = probed.scores.query("layer == 3 and labels == 'belief' and measure == 'other_template'")
    assert row["r2"].item() == pytest.approx(float(r2(truth, predicted)))


def test_a_direction_is_the_way_the_reading_grows(model, task, probed):
    _, test = probe_prompts(task, SETTINGS)
    outcomes = OutcomeTokens.measure(model.tokenizer, task.outcomes)
    resid = read_last(model, test["text"].tolist(), outcomes, [3]).resid[:, 0]
    weights = probed.weights[1]
    gradient = norm_gradient(model, resid, torch.from_numpy(weights))
    # a step that float32 resolves, in which transformers computes the norm
    step = 1e-2 * torch.from_numpy(probed.directions[1])
    change = (normed(model, resid + step) - normed(model, resid)).numpy() @ weights
    expected = 1e-2 * gradient.numpy() @ probed.directions[1]
    np.testing.assert_allclose(change, expected, rtol=0.02)
    np.testing.assert_allclose(np.linalg.norm(probed.directions, axis=1), 1)


def test_the_best_probe_comes_back_from_disk(tmp_path, probed):
    write_probes(tmp_path / "probe.h5", probed, {"model": "words"})
    best = int(probed.scores.loc[probed.scores["best"], "layer"].iloc[0])
    found = read_best_probe(tmp_path / "probe.h5")
    row = probed.layers.index(best)
    assert found.layer == best
    np.testing.assert_array_equal(found.weights, probed.weights[row])
    np.testing.assert_array_equal(found.direction, probed.directions[row])


def test_one_generator_leaves_nothing_to_explain(model):
    sure = BernoulliTask.of([0.5], [], ["X", "Y"], 6)  # the belief is always 1
    found = probe_beliefs(model, sure, SETTINGS)
    assert found.scores["r2"].isna().all()
    assert found.scores.groupby("layer")["best"].first().sum() == 1
    np.testing.assert_allclose(found.predictions["predicted"].dropna(), 1.0)
