"""Sentences of the page against tables made to deserve them."""

import pandas as pd
import pytest

from pipeline_lib.bayes.columns import PROBE
from pipeline_lib.findings import bayes, bayes_effects


def scores(*gains):
    names = ("base", "independent", "order_irrelevant")
    rows = [
        {"template": name, "gain_low": low, "gain_high": high}
        for name, (low, high) in zip(names, gains, strict=False)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ([(0.01, 0.1), (0.02, 0.1)], "does the task**"),
        ([(-0.01, 0.1), (-0.2, 0.1)], "cannot do the task**"),
        ([(-0.3, -0.1), (-0.2, 0.1)], "under `base` it is measurably worse"),
        ([(0.01, 0.1), (-0.2, 0.1)], "under `base` only"),
    ],
)
def test_the_interval_of_the_gain_decides_the_verdict(gains, said):
    assert said in bayes.verdict(scores(*gains))


def slopes(low, high, p):
    rows = [
        {"direction": PROBE, "slope": (low + high) / 2, "low": low, "high": high, "p": p},
        {"direction": "random", "slope": 0.0, "low": -0.1, "high": 0.1, "p": float("nan")},
    ]
    return pd.DataFrame(rows).assign(layer=3)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.5, 0.7, 0.05), "in the direction asked for"),
        ((-0.7, -0.5, 0.05), "against the direction"),
        ((0.5, 0.7, 0.1), "no more than random"),
        ((0.5, 0.7, float("nan")), "no more than random"),
        ((-0.5, 0.7, 0.05), "without a measurable direction"),
    ],
)
def test_steering_needs_to_beat_random_directions(values, said):
    assert said in bayes_effects.steering(slopes(*values))


def probe(both, unseen, control=-0.5, count=0.1):
    rows = [
        {
            "layer": 2,
            "labels": labels,
            "measure": measure,
            "r2": low + 0.1,
            "low": low,
            "best": True,
        }
        for labels, lows in (
            ("belief", (0.8, 0.5, unseen, both)),
            ("reassigned", (control,) * 4),
            ("count", (count - 0.1,) * 4),
        )
        for measure, low in zip(bayes_effects.SPLITS, lows, strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.2, 0.3), "Yes"),
        ((-0.2, 0.3), "Within"),
        ((-0.2, -0.3), "No"),
        ((0.2, 0.3, 0.4), "No"),
        ((0.4, 0.6, -0.5, 0.5), "The count is"),
    ],
)
def test_unseen_evidence_decides_what_is_readable(values, said):
    assert bayes_effects.readable(probe(*values)).startswith(said)


def test_pairs_left_out_are_counted():
    table = pd.DataFrame({"status": ["swept", "against", "near_zero", "swept"], "floor": 0.1})
    said = bayes_effects.pairs(table)
    assert "Of 4 pairs of prompts, 2 were patched. Left out: 1 in" in said
    assert "and 1 in which more X" in said


def test_pairs_as_often_against_the_evidence_are_no_evidence():
    assert "not measurably more" in bayes_effects.goes_with_evidence(7, 7)
    assert "with the evidence measurably more" in bayes_effects.goes_with_evidence(14, 0)
    assert bayes_effects.goes_with_evidence(0, 0) == ""


def test_heads_must_beat_zero_and_their_control():
    common = {"layer": 0, "component": ["head_0", "head_1", "head_2"], "n": 3}
    heads = pd.DataFrame({**common, "effect": [0.5, 0.4, 0.1], "low": [0.4, 0.3, -0.1],
                          "high": [0.6, 0.5, 0.3]})  # fmt: skip
    control = pd.DataFrame({**common, "effect": [0.0, 0.3, 0.0], "low": [-0.1, 0.2, -0.1],
                            "high": [0.1, 0.4, 0.1]})  # fmt: skip
    said = bayes_effects.heads(heads, control)
    assert "0.50 [0.40, 0.60], of L0 H0. 1 of 3 heads" in said
    empty = heads.assign(effect=float("nan"))
    assert bayes_effects.heads(empty, control) == "Nothing could be patched."


def test_the_rise_must_last_to_the_last_layer():
    part = pd.DataFrame({"layer": range(5), "correlation_low": [0.5, -0.1, 0.2, 0.3, 0.1]})
    assert bayes.rising_from(part) == 2
    assert bayes.rising_from(part.assign(correlation_low=[1, 1, 1, 1, -0.1])) is None


def test_orders_split_the_variance():
    answers = pd.DataFrame({"template": "base", "n_x": [0, 0, 1, 1], "p_x": [0.0, 0.2, 0.8, 1.0]})
    assert "decides 94.1 % of" in bayes.orders(answers)
