"""Knockouts on a made-up model whose neurons are known to serve certain prompts."""

import numpy as np
import pandas as pd

from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.knockouts.ablation import set_masks
from pipeline_lib.knockouts.by_heuristic import knock_out_heuristics, sample_prompts
from pipeline_lib.knockouts.by_prompt import (
    control_neurons,
    first_per_layer,
    knock_out_prompts,
    ranked_neurons,
)
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import valid_prompts

PROMPTS = valid_prompts("add", min_operand=0, max_operand=20, max_number=999)
LOW = Heuristic.from_name("op1_range_0_10")
HIGH = Heuristic.from_name("op1_range_10_20")
LOW_NEURONS = np.array([[2, 0], [2, 1], [3, 4]])


def needs_low_neurons(prompts, sets):
    """A model that answers prompts with a < 10 only while one of the low neurons lives."""
    low = {tuple(pair) for pair in LOW_NEURONS.tolist()}
    dead = np.array([low <= {tuple(pair) for pair in chosen.tolist()} for chosen in sets])
    return ~(dead & (prompts["a"].to_numpy() < 10))


def test_knocking_out_a_heuristic_hurts_its_prompts_and_no_other():
    table = knock_out_heuristics(
        {LOW: LOW_NEURONS, HIGH: LOW_NEURONS},
        PROMPTS,
        needs_low_neurons,
        min_neurons=3,
        n_prompts=50,
        rng=generator(1, "knockout"),
    ).set_index("heuristic")
    low, high = table.loc[LOW.name], table.loc[HIGH.name]
    assert (low["associated"], low["other"]) == (0.0, 1.0)
    assert (high["associated"], high["other"]) == (1.0, 0.0)
    assert (low["baseline_associated"], low["baseline_other"]) == (1.0, 1.0)
    assert low["n_associated"] == low["n_other"] == 50


def test_heuristics_with_few_neurons_are_left_out():
    table = knock_out_heuristics(
        {LOW: LOW_NEURONS},
        PROMPTS,
        needs_low_neurons,
        min_neurons=4,
        n_prompts=50,
        rng=generator(1, "knockout"),
    )
    assert len(table) == 0


def test_other_prompts_are_never_associated_and_as_many():
    member = np.arange(100) < 30
    associated, other = sample_prompts(member, 50, generator(1, "sample"))
    assert len(associated) == len(other) == 30
    assert member[associated].all()
    assert not member[other].any()


MATCHES = pd.DataFrame(
    {
        "layer": [2, 2, 2, 3, 2],
        "neuron": [0, 1, 0, 4, 7],
        "heuristic": ["x", "x", "y", "x", "z"],
        "score": [0.7, 0.9, 0.65, 0.8, 1.0],
    }
)
SATISFIED = np.array([True, True, True, True, False])


def test_neurons_are_ranked_by_best_score_or_by_number_of_heuristics():
    by_score = ranked_neurons(MATCHES, SATISFIED, "score")
    assert by_score.tolist() == [[2, 1], [3, 4], [2, 0]]
    by_count = ranked_neurons(MATCHES, SATISFIED, "count")
    assert by_count.tolist() == [[2, 0], [2, 1], [3, 4]]
    assert ranked_neurons(MATCHES, ~SATISFIED & False, "score").shape == (0, 2)


def test_limits_count_per_layer():
    ranked = np.array([[2, 1], [3, 4], [2, 0], [2, 9]])
    assert first_per_layer(ranked, 2).tolist() == [[2, 1], [3, 4], [2, 0]]
    assert first_per_layer(ranked, 0).shape == (0, 2)


def test_controls_match_the_number_per_layer():
    pool = np.array([[3, 0], [2, 5], [2, 6], [3, 1], [2, 7]])
    chosen = control_neurons(pool, np.array([[2, 1], [3, 4], [2, 0]]))
    assert chosen.tolist() == [[2, 5], [2, 6], [3, 0]]


def test_prompt_knockout_silences_only_satisfied_neurons_and_controls_only_others():
    top = pd.DataFrame({"layer": [2, 2, 2, 3, 3], "neuron": [0, 1, 7, 4, 5]})
    prompts = PROMPTS.iloc[:3]
    member = np.zeros((len(MATCHES), 3), dtype=bool)
    member[:, 0] = SATISFIED
    seen = []

    def record(table, sets):
        seen.extend(zip(table["condition"], table["limit"], sets, strict=True))
        return np.ones(len(sets), dtype=bool)

    table = knock_out_prompts(
        MATCHES,
        member,
        top,
        prompts,
        record,
        limits=[0, 1, 5],
        rank="score",
        rng=generator(1, "prompt"),
    )
    assert len(table) == 3 * 3 * 2
    first = {(condition, limit): chosen for condition, limit, chosen in seen[:6]}
    assert first["heuristic", 0].shape == (0, 2)
    assert first["heuristic", 1].tolist() == [[2, 1], [3, 4]]
    assert first["heuristic", 5].tolist() == [[2, 1], [3, 4], [2, 0]]
    assert sorted(first["control", 5].tolist()) == [[2, 7], [3, 5]]
    assert table["n_neurons"].tolist()[:6] == [0, 0, 2, 2, 3, 2]
    assert (table["n_neurons"].iloc[6:] == 0).all()


def test_masks_hold_each_set():
    masks = set_masks([LOW_NEURONS, LOW_NEURONS[:0]], n_layers=4, d_mlp=6)
    assert masks[0].nonzero().tolist() == LOW_NEURONS.tolist()
    assert not masks[1].any()
