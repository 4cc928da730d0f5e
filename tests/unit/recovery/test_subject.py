"""What patching, attribution and matching find of a network in which everything is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.heuristics import MATCH_COLUMNS, HeuristicSettings
from pipeline_lib.heuristics.calibration.table import FDR_COLUMNS
from pipeline_lib.recovery.measuring import COLUMNS, measure_network
from pipeline_lib.recovery.rules import Case, matching_rules
from pipeline_lib.recovery.scoring import tally_neurons, tally_pairs
from pipeline_lib.recovery.subject import (
    Subject,
    late_importance,
    localize,
    most_important,
    planted_components,
)
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS

LIMITS = {
    "kind": "hybrid",
    "threshold": 0.6,
    "max_base_rate": 1.0,
    "fdr": 0.05,
    "min_share": 0.05,
    "calibration": {
        "nulls": ["surrogate", "low_effect", "direction", "untrained"],
        "surrogates": 29,
        "per_layer": 40,
    },
    "multi_value_prompts": 100,
}


@pytest.fixture(scope="module")
def rules():
    return matching_rules(HeuristicSettings(), **LIMITS)


def planted_of(neurons, operator):
    return neurons[(neurons["operator"] == operator) & (neurons["kind"] == "planted")]


def importance_of(subject, pairs):
    return late_importance(subject, pairs, "mean")


def case_of(subject, neurons, operator):
    """An operator's neurons as a rule sees them; every planted neuron matters."""
    own = neurons[neurons["operator"] == operator]
    importance = np.zeros((subject.model.n_layers, subject.model.d_mlp))
    planted = planted_of(neurons, operator)
    importance[planted["layer"], planted["neuron"]] = 1.0
    return Case(subject, operator, own, subject.maps(operator, own), importance)


def mute(subject: Subject) -> Subject:
    """The same network as if it had answered everything wrongly."""
    wrong = {name: table.assign(label="incorrect") for name, table in subject.labelled.items()}
    return replace(subject, labelled=wrong)


@pytest.mark.parametrize("operator", OPERATORS)
def test_patching_finds_the_heads_and_the_mlps(subject, heads, operator):
    pairs = subject.pairs(operator, 8, generator(1, operator))
    assert localize(subject, pairs, 3) == planted_components(heads)


def test_planted_components_are_named_by_place(heads):
    expected = {("head", 0, 0), ("head", 0, 1), ("head", 1, 0), ("mlp", 1, 4), ("mlp", 2, 4)}
    assert planted_components(heads) == expected


def test_attribution_ranks_planted_neurons_first(subject, neurons):
    planted = planted_of(neurons, "mul")
    pairs = subject.pairs("mul", 1_200, generator(1, "mul"))
    values = importance_of(subject, pairs)
    assert values.shape == (subject.model.n_layers, subject.model.d_mlp)
    assert (values[:-1] == 0).all()
    assert most_important(values, len(planted)) == set(planted["neuron"])


def test_pairs_ask_every_prompt_equally_often(subject):
    pairs = subject.pairs("mul", 3 * 537, generator(1, "pairs"))
    assert (pairs.value_counts(["a", "b"]) == 3).all()
    assert (pairs["answer"] != pairs["cf_answer"]).all()
    shares = pairs["cf_operator"].value_counts(normalize=True)
    assert shares.reindex(list(OPERATORS)).between(0.2, 0.3).all()


def test_a_network_that_answers_nothing_gives_no_pairs(subject):
    pairs = mute(subject).pairs("add", 10, generator(1, "mute"))
    assert pairs.empty
    assert localize(subject, pairs, 3) == set()
    values = importance_of(subject, pairs)
    assert (values == 0).all()
    assert most_important(values, 5) == set()


@pytest.mark.parametrize("name", ["threshold", "authors"])
def test_thresholds_find_the_planted_pairs_and_many_others(subject, neurons, rules, name):
    case = case_of(subject, neurons, "div")
    matches = rules[name](case, generator(1, name))
    assert list(matches.columns) == MATCH_COLUMNS
    assert set(matches["kind"]) == {"hybrid"}
    found = tally_pairs(matches, planted_of(neurons, "div"), case.maps.prompts)
    assert found.n_right == found.n_planted == 15
    assert found.n_found > 2 * found.n_planted  # nested and overlapping ranges pass too


def test_the_false_discovery_rate_finds_what_was_planted_and_nothing_else(subject, neurons, rules):
    """Without noise a neuron's map is its heuristic; decoys are smooth surfaces."""
    planted = planted_of(neurons, "sub")
    case = case_of(subject, neurons, "sub")
    assert len(case.neurons) == len(planted) + 4
    matches = rules["fdr"](case, generator(1, "fdr"))
    assert list(matches.columns) == FDR_COLUMNS
    pairs = tally_pairs(matches, planted, case.maps.prompts)
    assert pairs.n_right == pairs.n_found == pairs.n_planted == len(planted)
    detected = tally_neurons(matches, planted)
    assert detected.n_right == detected.n_found == detected.n_planted
    assert (matches["q_value"] <= 0.05).all()
    assert (matches["share"] > 0.9).all()


def test_no_rule_matches_where_there_are_no_neurons(subject, neurons, rules):
    for name, rule in rules.items():
        assert rule(case_of(subject, neurons.iloc[:0], "mul"), generator(1, name)).empty, name


def test_the_rule_of_the_truth_scores_one_and_silence_nothing(subject, neurons, heads):
    def truth(case, rng):
        return planted_of(neurons, case.operator)[["layer", "neuron", "heuristic"]]

    def silence(case, rng):
        return pd.DataFrame(columns=["layer", "neuron", "heuristic"])

    table = measure_network(
        subject.model, neurons, heads, {"truth": truth, "silence": silence},
        n_patched=4, n_attributed=40, importance="mean", seed=3,
    )  # fmt: skip
    assert list(table.columns) == COLUMNS
    assert len(table) == len(OPERATORS) * 6
    assert table["n_correct"].groupby(table["operator"]).first().to_dict() == {
        "add": 1600, "sub": 820, "mul": 537, "div": 1521,
    }  # fmt: skip
    right = table[table["rule"] == "truth"]
    assert (right["n_right"] == right["n_planted"]).all()
    assert (right["n_right"] == right["n_found"]).all()
    assert (table.loc[table["rule"] == "silence", "n_found"] == 0).all()
    by_patching = table[table["rule"] == "patching"]
    assert (by_patching[["n_planted", "n_found", "n_right"]] == 5).all(axis=None)


def test_maps_are_those_of_the_truth(subject, neurons):
    planted = planted_of(neurons, "sub")
    maps = subject.maps("sub", planted)
    assert maps.neurons["neuron"].tolist() == planted["neuron"].tolist()
    first = planted["heuristic"].iloc[0]
    n, m = map(int, first.removeprefix("result_mod_").split("_"))
    np.testing.assert_allclose(maps.k_map[0], maps.prompts["answer"] % n == m, atol=1e-5)
    assert (maps.kv_map[0][maps.k_map[0] > 0.5] > 0).all()
