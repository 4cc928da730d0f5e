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
from pipeline_lib.knockouts.matched import Pool
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


def breaks_everything(prompts, sets):
    """A model that answers nothing as soon as a neuron is gone."""
    return np.array([len(chosen) == 0 for chosen in sets])


def pool(n_neurons=10):
    """Two layers whose first neurons are mapped, all with the same norm."""
    every = pd.DataFrame(
        [(layer, neuron, 1.0) for layer in (2, 3) for neuron in range(n_neurons)],
        columns=["layer", "neuron", "norm"],
    )
    return Pool(every[every["neuron"] < 8], every)


def knocked_out(heuristics, min_neurons=3, **answers):
    return knock_out_heuristics(
        heuristics,
        PROMPTS,
        {"zero": needs_low_neurons, **answers},
        pool(),
        min_neurons=min_neurons,
        n_prompts=50,
        n_draws=4,
        rng=generator(1, "knockout"),
        control_rng=generator(1, "matched"),
    )


def test_knocking_out_a_heuristic_hurts_its_prompts_and_no_other():
    table = knocked_out({LOW: LOW_NEURONS, HIGH: LOW_NEURONS})
    table = table[table["condition"] == "heuristic"].set_index("heuristic")
    low, high = table.loc[LOW.name], table.loc[HIGH.name]
    assert (low["associated"], low["other"]) == (0.0, 1.0)
    assert (high["associated"], high["other"]) == (1.0, 0.0)
    assert (low["baseline_associated"], low["baseline_other"]) == (1.0, 1.0)
    assert low["n_associated"] == low["n_other"] == 50


def test_random_sets_of_as_many_other_neurons_hurt_nothing_here():
    table = knocked_out({LOW: LOW_NEURONS, HIGH: LOW_NEURONS})
    matched = table[table["condition"] == "matched"]
    assert matched.groupby("heuristic")["draw"].apply(list).tolist() == [[1, 2, 3, 4]] * 2
    assert (matched[["associated", "other"]] == 1.0).all(axis=None)
    assert (matched[["n_neurons", "n_unmapped", "norm"]] == [3, 0, 1.0]).all(axis=None)


def test_every_kind_of_ablation_has_its_own_accuracies_of_the_same_sets():
    table = knocked_out({LOW: LOW_NEURONS}, mean=breaks_everything)
    assert len(table) == 2 * (1 + 4)
    by_kind = dict(iter(table.groupby("ablation")))
    assert (by_kind["mean"][["associated", "other"]] == 0.0).all(axis=None)
    assert (by_kind["mean"][["baseline_associated", "baseline_other"]] == 1.0).all(axis=None)
    assert by_kind["zero"]["other"].tolist() == [1.0] * 5


def test_heuristics_with_few_neurons_are_left_out():
    table = knocked_out({LOW: LOW_NEURONS}, min_neurons=4)
    assert len(table) == 0
    assert {"ablation", "condition", "draw"} <= set(table.columns)


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

    def record(asked, sets):
        seen.extend(sets)
        return np.arange(len(sets)) % 2 == 0

    def wrong(asked, sets):
        return np.zeros(len(sets), dtype=bool)

    def knock_out(**options):
        seen.clear()
        return knock_out_prompts(
            MATCHES,
            member,
            top,
            prompts,
            {"zero": record, "mean": wrong},
            limits=[0, 1, 5],
            rank="score",
            rng=generator(1, "prompt"),
            **options,
        )

    plain = knock_out()
    assert len(plain) == 2 * 3 * 3 * 2
    without = [chosen.tolist() for chosen in seen]
    table = knock_out(pool=pool(), control_rng=generator(1, "matched"))
    assert len(table) == 2 * 3 * 3 * 3
    zero, mean = (table[table["ablation"] == kind] for kind in ("zero", "mean"))
    assert zero["correct"].tolist() == (np.arange(27) % 2 == 0).tolist()
    assert not mean["correct"].any()
    keys = zero[["condition", "limit"]].itertuples(index=False, name=None)
    first = dict(zip(list(keys)[:9], seen[:9], strict=True))
    assert first["heuristic", 0].shape == (0, 2)
    assert first["heuristic", 1].tolist() == [[2, 1], [3, 4]]
    assert first["heuristic", 5].tolist() == [[2, 1], [3, 4], [2, 0]]
    assert sorted(first["control", 5].tolist()) == [[2, 7], [3, 5]]
    assert first["matched", 5][:, 0].tolist() == [2, 2, 3]
    assert not {tuple(row) for row in first["matched", 5]} & {(2, 0), (2, 1), (3, 4)}
    assert zero["n_neurons"].tolist()[:9] == [0, 0, 0, 2, 2, 2, 3, 2, 3]
    assert (zero["n_neurons"].iloc[9:] == 0).all()
    # matched sets have draws of their own: the paper's control stays what it is without them
    others = zero["condition"] != "matched"
    assert [chosen.tolist() for chosen, keep in zip(seen, others, strict=True) if keep] == without


def test_masks_hold_each_set():
    masks = set_masks([LOW_NEURONS, LOW_NEURONS[:0]], n_layers=4, d_mlp=6)
    assert masks[0].nonzero().tolist() == LOW_NEURONS.tolist()
    assert not masks[1].any()
