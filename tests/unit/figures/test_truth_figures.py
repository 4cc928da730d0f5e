"""Attribution against the truth, and stability: the plotted numbers by other means."""

import numpy as np
import pytest

import pipeline_lib.figures.fig_attribution_truth as truth
import pipeline_lib.figures.fig_stability as stability
from pipeline_lib.circuits.ranking import prompt_effects, rank_heads
from pipeline_lib.figures.reading import read_effects
from tests.unit.figures.conftest import OPERATORS, SEEDS, exact_of

NEURONS = {"importance": "mean", "per_layer": 5, "first_heuristics_layer": 1}


def means(operator, name):
    return np.concatenate([exact_of(operator, seed)[name] for seed in SEEDS]).mean(axis=0)


def test_points_are_the_mean_effects_of_the_neurons(study, write, words_of):
    drawn = truth.make({"exact": study("exact")}, OPERATORS, {})
    table = drawn.table
    assert sorted(set(table["operator"])) == ["add", "sub"]
    assert set(table["n_prompts"]) == {3}
    for operator in ("add", "sub"):
        points = table[(table["operator"] == operator) & (table["panel"] == "neuron")]
        assert points["layer"].tolist() == [1] * 12 + [2] * 12
        exact = -means(operator, "log_odds_change") / 2
        assert points["exact"].to_numpy() == pytest.approx(exact)
        for name in ("indirect_effect", "gradient", "integrated"):
            assert points[name].to_numpy() == pytest.approx(means(operator, name))
        assert (points["exact_low"] <= points["exact"]).all()
        assert (points["exact_high"] >= points["exact"]).all()
        shown = drawn.figure.axes[OPERATORS.index(operator)].collections[0].get_offsets()
        assert np.asarray(shown) == pytest.approx(np.stack([exact, means(operator, "gradient")], 1))
    assert "no correct prompts" in words_of(drawn)
    write(drawn)


def test_agreement_is_that_of_the_points(study, words_of):
    drawn = truth.make({"exact": study("exact")}, OPERATORS, {})
    rows = drawn.table[drawn.table["panel"] == "agreement"]
    rows = rows.set_index(["operator", "truth", "estimate", "measure", "layer", "k"])["value"]
    exact, noisy = -means("add", "log_odds_change") / 2, means("add", "gradient")
    key = ("add", "log_odds", "gradient")
    pearson = np.corrcoef(exact, noisy)[0, 1]
    assert rows[(*key, "pearson", -1, 0)] == pytest.approx(pearson)
    assert f"r = {pearson:.2f}" in words_of(drawn)
    layer = slice(12, 24)
    ranks = [np.argsort(np.argsort(values[layer])) for values in (exact, noisy)]
    assert rows[(*key, "spearman", 2, 0)] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    tops = [set(np.argsort(-values[layer])[:10]) for values in (exact, noisy)]
    assert rows[(*key, "overlap", 2, 10)] == len(tops[0] & tops[1]) / 10
    # the perfect estimate
    assert rows[("add", "log_odds", "integrated", "spearman", -1, 0)] == pytest.approx(1.0)
    assert rows[("sub", "log_odds", "integrated", "overlap", -1, 10)] == 1.0
    # of eq. 1, whose mean ranks neurons otherwise
    other = np.corrcoef(means("add", "indirect_effect"), noisy)[0, 1]
    assert rows[("add", "indirect_effect", "gradient", "pearson", -1, 0)] == pytest.approx(other)


def test_one_operator_alone_has_a_column(study, write):
    drawn = truth.make({"exact": study("exact", ["sub"])}, ["sub"], {})
    assert len(drawn.figure.axes) == 3
    write(drawn)


def test_heads_and_neurons_that_resamples_would_give(study, write):
    inputs = {name: study(name) for name in ("effects", "circuits", "attribution")}
    drawn = stability.make(inputs, OPERATORS, {"neurons": NEURONS})
    table = drawn.table.set_index(["operator", "what", "compared"])
    # one head stands out in every prompt and seed
    assert table.loc[("add", "heads", "full"), ["mean", "low", "size", "of"]].tolist() == [
        1,
        1,
        1,
        6,
    ]
    # two sets of one of six heads: the same with probability 1/6
    assert table.loc[("add", "heads", "pairs"), "chance"] == pytest.approx(1 / 6)
    # of two prompts one gives all neurons of a layer the same effect, the other ranks them by
    # number (but for a NaN): only where the first is drawn twice do ties go to the first neurons
    neurons = table.loc[("sub", "neurons", "full")]
    assert neurons[["size", "of"]].tolist() == [10, 20]
    assert neurons["mean"] == pytest.approx(0.75 + 0.25 * neurons["low"], abs=0.06)
    assert neurons["high"] == 1
    assert "div" not in drawn.table["operator"].tolist()
    write(drawn)


def test_heads_are_those_that_circuits_rank(study):
    rng = np.random.default_rng(0)
    files = study("effects", ["add"])
    effects = read_effects(files)
    for seed in effects.seeds:
        seed[...] = rng.normal(size=seed.shape)
    heads = [seed[..., :-1] for seed in effects.seeds]
    ranked = rank_heads(prompt_effects(heads).mean(axis=0), 3)
    flat = np.stack(heads).mean(axis=(0, 1, 2)).ravel()
    assert [head.layer * 2 + head.head for head in ranked] == np.argsort(-flat)[:3].tolist()


def test_a_ranking_by_exact_effects_is_resampled_itself(study):
    inputs = {name: study(name) for name in ("effects", "circuits", "attribution", "exact")}
    found = stability.make(inputs, OPERATORS, {"neurons": NEURONS}).table
    rows = found[(found["operator"] == "add") & (found["what"] == "neurons")]
    assert set(rows["of"]) == {24}
    exact = np.stack([-exact_of("add", seed)["log_odds_change"] / 2 for seed in SEEDS])
    rng, shares = np.random.default_rng(0), []

    def top(values):
        mean = values.mean(axis=(0, 1)).reshape(2, 12)
        return {(layer, n) for layer in range(2) for n in np.argsort(-mean[layer])[:5]}

    for _ in range(1500):
        drawn = exact[rng.integers(2, size=2)][:, rng.integers(3, size=3)]
        shared = len(top(drawn) & top(exact))
        shares.append(shared / (20 - shared))
    full = rows.set_index("compared").loc["full"]
    assert full["mean"] == pytest.approx(np.mean(shares), abs=0.03)
