"""False discovery rates and tables of matches, by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.heuristics import score_neurons
from pipeline_lib.heuristics.calibration.families import family_p_values, low_effect_neurons
from pipeline_lib.heuristics.calibration.table import (
    FDR_COLUMNS,
    LINK_COLUMNS,
    NEURON_COLUMNS,
    classify,
    cut_matches,
    evidence_cut,
    fdr_matches,
    neuron_table,
)

NEURONS = pd.DataFrame(
    {
        "layer": [2, 2, 3],
        "neuron": [7, 9, 1],
        "heuristic": ["op1_mod_2_0", "op2_value_3", "op1_value_5"],
        "evidence": [0.6, 0.3, 0.2],
        "p_value": [0.001, 0.02, 0.5],
    }
)
LINKS = pd.DataFrame(
    [
        (2, 7, 0, "op1_mod_2_0", "K", "top", 0.6, 0.6, 0.001),
        (2, 7, 1, "result_mod_3_1", "KV", "top", 0.4, 0.2, 0.01),
        (2, 7, 2, "op2_value_3", "K", "top", 0.3, 0.1, 0.3),
        (2, 7, 3, "op1_value_4", "K", "top", 0.3, 0.1, 0.001),
        (2, 9, 0, "op2_value_3", "K", "bottom", 0.3, 0.3, 0.02),
        (3, 1, 0, "op1_value_5", "K", "top", 0.2, 0.2, 0.5),
    ],
    columns=LINK_COLUMNS,
)


@pytest.fixture(scope="module")
def scores(make_index):
    index = make_index("add")
    maps = np.random.default_rng(0).random((3, len(index.prompts))).astype(np.float32)
    k, kv = score_neurons(maps, maps[::-1].copy(), index)
    return k, kv, index


def verdicts(scores, fdr=0.05):
    """The neurons with their verdicts."""
    return classify(NEURONS, *scores, kind="hybrid", fdr=fdr, max_base_rate=1.0)


def test_chains_of_classified_neurons_are_followed_to_the_first_link_that_fails(scores):
    k, kv, index = scores
    options = {"kind": "hybrid", "fdr": 0.05, "min_share": 0.05}
    found = fdr_matches(verdicts(scores), LINKS, k, kv, index, **options)
    assert list(found) == FDR_COLUMNS
    # q = p m / rank: 0.003 and 0.03 pass, 0.5 does not; the third link of 7 has p 0.3
    assert found[["neuron", "heuristic", "link"]].to_numpy().tolist() == [
        [7, "op1_mod_2_0", 0],
        [7, "result_mod_3_1", 1],
        [9, "op2_value_3", 0],
    ]
    assert found["q_value"].tolist() == pytest.approx([0.003, 0.003, 0.03])
    places = [index.names.index(name) for name in found["heuristic"]]
    assert found["score"].tolist() == pytest.approx(
        [k.top[0, places[0]], kv.top[0, places[1]], k.bottom[1, places[2]]]
    )
    assert found["type"].tolist() == ["modulo", "modulo", "value"]


def test_a_first_link_that_explains_too_little_matches_nothing(scores):
    options = {"kind": "hybrid", "fdr": 0.05, "min_share": 0.5}
    found = fdr_matches(verdicts(scores), LINKS, *scores, **options)
    assert found["neuron"].tolist() == [7]


def test_no_neurons_no_matches(scores):
    options = {"kind": "hybrid", "fdr": 0.05, "min_share": 0.05}
    none = fdr_matches(verdicts(scores).iloc[:0], LINKS.iloc[:0], *scores, **options)
    assert none.empty
    assert list(none) == FDR_COLUMNS
    strict = fdr_matches(verdicts(scores, fdr=1e-6), LINKS, *scores, **options)
    assert strict.empty


def test_the_verdict_and_the_best_score_of_every_neuron(scores):
    k, kv, index = scores
    options = {"kind": "hybrid", "fdr": 0.05, "max_base_rate": 1.0}
    found = classify(NEURONS, k, kv, index, **options)
    assert found["classified"].tolist() == [True, True, False]
    result = np.array([heuristic.target == "result" for heuristic in index.heuristics])
    both = np.where(result, kv.top, np.maximum(k.top, k.bottom))
    both[:, index.base_rate >= 1] = 0
    assert found["score"].tolist() == pytest.approx(both.max(axis=1).tolist())


def test_checkpoints_are_held_against_the_final_models_cut(scores):
    assert evidence_cut(verdicts(scores)) == 0.3
    assert np.isnan(evidence_cut(verdicts(scores, fdr=1e-6)))
    options = {"kind": "hybrid", "min_share": 0.15}
    found = cut_matches(NEURONS[["layer", "neuron"]], LINKS, *scores, cut=0.3, **options)
    assert found[["neuron", "link"]].to_numpy().tolist() == [[7, 0], [7, 1], [9, 0]]
    assert found["q_value"].isna().all()
    assert cut_matches(NEURONS, LINKS, *scores, cut=np.nan, **options).empty


def test_the_largest_p_value_of_the_families_that_count_decides():
    measured = NEURONS.drop(columns="p_value").assign(
        surrogate_evidence=0.1,
        surrogate_score=0.5,
        p_low_effect=[0.1, np.nan, 0.2],
        p_direction=[0.01, 0.02, 0.9],
        p_untrained=[0.3, 0.04, 0.1],
    )
    links = LINKS[LINKS["link"] == 0]
    found = neuron_table(
        measured, links, ["surrogate", "low_effect", "direction", "untrained"], 0.05
    )
    assert list(found) == NEURON_COLUMNS
    assert found["p_value"].tolist() == [0.3, 0.04, 0.9]
    alone = neuron_table(measured, links, ["surrogate"], 0.05)
    assert alone["p_value"].tolist() == [0.001, 0.02, 0.5]
    flat = measured.assign(evidence=[0.0, 0.3, 0.2])
    assert neuron_table(flat, links, ["surrogate"], 0.0)["p_value"].tolist() == [1.0, 0.02, 0.5]
    little = neuron_table(measured, links, ["surrogate"], 0.25)
    assert little["p_value"].tolist() == [0.001, 0.02, 1.0]


def test_p_values_of_families_are_those_of_the_same_layer():
    nulls = pd.DataFrame(
        {
            "family": ["low_effect"] * 4 + ["untrained"],
            "layer": [2, 2, 2, 3, 2],
            "evidence": [0.1, 0.4, 0.7, 0.9, 0.5],
        }
    )
    found = family_p_values(NEURONS, nulls)
    assert found["p_low_effect"].tolist() == pytest.approx([2 / 4, 3 / 4, 1.0])
    assert found["p_untrained"].tolist()[:2] == [0.5, 1.0]
    assert found["p_direction"].isna().all()
    assert np.isnan(found["p_untrained"][2])


def test_neurons_without_effect_are_the_smallest_half_of_the_others():
    effects = np.array([[0.0] * 6, [5.0, -0.1, 0.3, -4.0, 0.2, 0.0]])
    chosen = pd.DataFrame({"layer": [1, 1], "neuron": [0, 5]})
    found = low_effect_neurons(effects, chosen, per_layer=10)
    assert found.to_numpy().tolist() == [[1, 1], [1, 4]]
    assert low_effect_neurons(effects, chosen, per_layer=1).to_numpy().tolist() == [[1, 1]]
    assert low_effect_neurons(effects, chosen.iloc[:0], per_layer=1).empty
