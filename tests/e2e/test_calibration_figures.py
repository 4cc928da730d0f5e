"""What the figures of calibration show, counted again from matches, p-values and null maps."""

import numpy as np
import pandas as pd
import pytest

OPERATORS = ("add", "sub", "mul", "div")
NULLS = ("surrogate", "low_effect", "direction", "untrained")
THRESHOLD, FDR = 0.6, 0.05


@pytest.fixture(params=OPERATORS)
def operator(request) -> str:
    return request.param


@pytest.fixture
def neurons(study, operator) -> pd.DataFrame:
    return pd.read_csv(study / "calibration" / f"{operator}_neurons.csv")


@pytest.fixture
def nulls(study, operator, neurons) -> dict[str, pd.DataFrame]:
    """Score and evidence of every null map, by family."""
    table = pd.read_csv(study / "calibration" / f"{operator}_nulls.csv")
    surrogate = neurons[["surrogate_score", "surrogate_evidence"]]
    found = {"surrogate": surrogate.set_axis(["score", "evidence"], axis=1)}
    return found | dict(iter(table.groupby("family")[["score", "evidence"]]))


@pytest.fixture
def best_scores(study, operator, neurons) -> pd.Series:
    """Largest score of the neurons that reach the threshold with any heuristic."""
    matches = pd.read_csv(study / "heuristics" / "threshold" / f"{operator}_matches.csv")
    return matches[matches["kind"] == "hybrid"].groupby(["layer", "neuron"])["score"].max()


def rejected(p_values, rate=FDR):
    """Which tests Benjamini and Hochberg's procedure rejects, step by step."""
    p_values = np.asarray(p_values, dtype=float)
    for n in range(len(p_values), 0, -1):
        limit = n * rate / len(p_values)
        if (p_values <= limit).sum() >= n:
            return p_values <= limit
    return np.zeros(len(p_values), dtype=bool)


def cut_of(neurons):
    """Least evidence of a neuron that is classified; NaN without any."""
    return neurons.loc[rejected(neurons["p_value"]), "evidence"].min()


def rows_of(finished_project, name, operator):
    table = pd.read_csv(finished_project / f"figs/arithmetic/tiny-arith/{name}.csv")
    return table[table["operator"] == operator]


@pytest.fixture
def curves(finished_project, operator) -> pd.DataFrame:
    return rows_of(finished_project, "fig_calibration", operator)


@pytest.fixture
def shares(finished_project, operator) -> pd.DataFrame:
    table = rows_of(finished_project, "fig_classified_share", operator)
    return table.set_index(["rule_or_null", "what"])


def test_every_curve_falls_from_all_to_one(curves):
    for _, rows in curves.groupby(["group", "measure"]):
        at_least = [(rows["value"] >= value).mean() for value in rows["value"]]
        # of equal values the first says how many there are
        first = ~rows["value"].duplicated()
        assert rows.loc[first, "share_at_least"].tolist() == pytest.approx(
            np.array(at_least)[first.to_numpy()].tolist()
        )
        assert (rows["n"] == len(rows)).all()


def test_curves_have_every_neuron_and_null_map(curves, neurons, nulls, best_scores):
    values = {key: rows["value"] for key, rows in curves.groupby(["group", "measure"])}
    assert sorted(values["neurons", "evidence"]) == pytest.approx(sorted(neurons["evidence"]))
    scores = values["neurons", "score"]
    assert len(scores) == len(neurons)
    assert sorted(scores[scores >= THRESHOLD]) == pytest.approx(sorted(best_scores), abs=1e-6)
    assert set(nulls) == set(NULLS)
    for family, table in nulls.items():
        for measure in ("score", "evidence"):
            expected = sorted(table[measure].dropna())
            assert sorted(values[family, measure]) == pytest.approx(expected)


def test_the_cuts_are_the_threshold_and_the_least_classified_evidence(curves, neurons):
    cuts = curves.groupby("measure")["cut"].unique()
    assert cuts["score"].tolist() == [THRESHOLD]
    assert cuts["evidence"].tolist() == pytest.approx([cut_of(neurons)], nan_ok=True)


def test_neurons_are_counted_from_the_matches_of_both_rules(
    study, operator, shares, neurons, best_scores
):
    n = len(neurons)
    found = shares.loc["neurons"]
    assert found.loc["share at threshold", "value"] == pytest.approx(len(best_scores) / n)
    passed = rejected(neurons["p_value"])
    assert found.loc["share at fdr", "value"] == pytest.approx(passed.sum() / n)
    matches = pd.read_csv(study / "heuristics" / "fdr" / f"{operator}_matches.csv")
    key = ["layer", "neuron"]
    classified = set(neurons.loc[passed, key].itertuples(index=False, name=None))
    assert set(matches[key].itertuples(index=False, name=None)) <= classified
    assert (found["n"] == n).all()


def test_false_positives_are_counted_from_the_null_maps(shares, neurons, nulls):
    cut = cut_of(neurons)
    for family, table in nulls.items():
        found, scored = shares.loc[family], table["score"].dropna()
        reached = sum(score >= THRESHOLD for score in scored) / len(scored)
        assert found.loc["false positives at threshold", "value"] == pytest.approx(reached)
        reached = sum(evidence >= cut for evidence in table["evidence"]) / len(table)
        assert found.loc["false positives at fdr", "value"] == pytest.approx(reached)
        p_values = neurons[f"p_{family}"].dropna()
        alone = rejected(p_values).mean()
        assert found.loc["share at fdr against this null alone", "value"] == pytest.approx(alone)


def test_intervals_are_wilsons(shares):
    z = 1.959964
    for row in shares.itertuples():
        middle = (row.value + z**2 / (2 * row.n)) / (1 + z**2 / row.n)
        half = z / (1 + z**2 / row.n)
        half *= np.sqrt(row.value * (1 - row.value) / row.n + z**2 / (4 * row.n**2))
        assert (row.low, row.high) == pytest.approx((middle - half, middle + half), abs=1e-6)
