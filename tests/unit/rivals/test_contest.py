"""Heuristics against Fourier modes, on maps whose explanation is known."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.heuristics import (
    PAPER,
    HeuristicSettings,
    Modulo,
    Range,
    SameOperands,
    enumerate_heuristics,
)
from pipeline_lib.rivals.candidates import (
    FourierMode,
    fourier_candidates,
    heuristic_candidates,
    start_columns,
)
from pipeline_lib.rivals.columns import Columns, Written
from pipeline_lib.rivals.contest import contest, fits
from pipeline_lib.rivals.selection import forward_selection, halves, squared_errors
from pipeline_lib.rivals.study import KIND, explain_maps, write_spectra
from pipeline_lib.rivals.waves import frequencies
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import valid_prompts

PERIODS = (2, 5, 10, 100)
SETTINGS = HeuristicSettings.from_values(PAPER)
LIMITS = {"min_operand": 0, "max_operand": 40, "max_number": 99}


def prompts_of(operator):
    return valid_prompts(operator, **LIMITS)


def rivals_of(operator, prompts):
    return {
        "heuristics": heuristic_candidates(
            enumerate_heuristics(operator, SETTINGS, prompts), prompts
        ),
        "modes": fourier_candidates(operator, prompts, PERIODS, np.arange(len(prompts)))[1],
    }


def explained(operator, maps, n_modes=2, seed=0):
    """Share of the variance of each map by (start, rival, terms), and what was chosen."""
    prompts = prompts_of(operator)
    maps = np.stack([function(prompts) for function in maps])
    neurons = pd.DataFrame({"layer": 1, "neuron": np.arange(len(maps))})
    table, chosen = contest(
        maps, prompts, neurons, rivals_of(operator, prompts), n_modes=n_modes, rng=generator(seed)
    )
    wide = table.pivot(index="neuron", columns=["start", "rival", "terms"], values="explained")
    return wide, chosen


def columns(prompts, *names):
    return [prompts[name].to_numpy(np.float64) for name in names]


@pytest.mark.parametrize("operator", ["add", "sub", "mul", "div"])
def test_products_are_those_of_the_columns_written_out(operator):
    prompts = prompts_of(operator)
    rows = np.arange(0, len(prompts), 3)
    maps = np.random.default_rng(0).normal(size=(len(prompts), 2))
    for candidates in rivals_of(operator, prompts).values():
        parts = Columns((Written(start_columns(prompts, True)), *candidates.columns.parts))
        some = parts.rows(rows)
        x = parts.write(range(parts.n_columns))[rows]
        np.testing.assert_allclose(some.products(maps[rows]), x.T @ maps[rows], atol=1e-8)
        np.testing.assert_allclose(some.gram(), x.T @ x, atol=1e-8)
        assert parts.n_columns == 3 + candidates.width * len(candidates)


def test_candidates_are_what_their_names_say():
    prompts = prompts_of("div")
    rivals = rivals_of("div", prompts)
    names = rivals["heuristics"].names
    assert {"op1_range_10_20", "both_mod_3_1", "pair_same", "result_value_7"} <= set(names)
    for heuristic in (Range("both", 10, 20), Modulo("op2", 3, 1), SameOperands()):
        place = names.index(heuristic.name)
        column = rivals["heuristics"].columns.write([place])[:, 0]
        np.testing.assert_array_equal(column, heuristic.members(prompts))
    modes = rivals["modes"]
    a, b, result = columns(prompts, "a", "b", "answer")
    for target, number in (("sum", a + b), ("difference", a - b), ("result", result)):
        place = modes.names.index(FourierMode(target, 5.0).name)
        cos, sin = modes.columns.write(modes.columns_of([place])).T
        np.testing.assert_allclose(cos, np.cos(2 * np.pi * number / 5), atol=1e-8)
        np.testing.assert_allclose(sin, np.sin(2 * np.pi * number / 5), atol=1e-8)


def test_frequencies_are_a_grid_and_the_whole_and_named_periods():
    found = frequencies(40, (2, 5, 7, 10, 100))
    periods = 1 / found
    np.testing.assert_allclose(np.isin(np.arange(1, 21) / 40, found.round(12)), True)
    for period in (2, 3, 4, 5, 6, 7, 10):
        assert np.isclose(periods, period).any()
    assert not np.isclose(periods, 100).any()
    assert (np.diff(found) > 1e-9).all()
    assert len(frequencies(1, (2,))) == 0


def brute_force(x, y, n_start, width, n_terms):
    """Greedy least squares, every candidate fitted anew at every step."""
    n, chosen = (x.shape[1] - n_start) // width, []

    def left(terms):
        used = [*range(n_start), *(n_start + width * t + i for t in terms for i in range(width))]
        return y - x[:, used] @ np.linalg.lstsq(x[:, used], y, rcond=None)[0]

    for _ in range(n_terms):
        errors = {t: (left([*chosen, t]) ** 2).sum() for t in range(n) if t not in chosen}
        chosen.append(min(errors, key=errors.get))
    return chosen


@pytest.mark.parametrize("width", [1, 2])
def test_selection_is_greedy_least_squares(width):
    rng = np.random.default_rng(width)
    x = rng.normal(size=(60, 3 + 7 * width)) + rng.normal(size=(60, 1))  # correlated columns
    x[:, -1] = x[:, 3]  # a copy gains nothing beside its original
    y = x @ rng.normal(size=x.shape[1]) + rng.normal(size=60)
    found = forward_selection(x.T @ x, x.T @ y, n_start=3, width=width, n_terms=4)
    assert found == brute_force(x, y, 3, width, 4)


def test_selection_stops_when_nothing_is_left():
    x = np.eye(6)[:, [0, 1, 1, 2]]
    y = x[:, 1] + 2 * x[:, 3]
    assert forward_selection(x.T @ x, x.T @ y, n_start=1, width=1, n_terms=3) == [2, 0]
    assert forward_selection(x.T @ x, 0 * y[:4], n_start=1, width=1, n_terms=3) == []


def test_errors_are_those_of_least_squares_on_the_other_half():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=50)
    fit, test = halves(50, rng)
    assert sorted([*fit, *test]) == list(range(50))
    subsets = [[0], [0, 2, 3], [3, 1]]
    for subset, error in zip(subsets, squared_errors(x, y, fit, test, subsets), strict=True):
        weight = np.linalg.lstsq(x[fit][:, subset], y[fit], rcond=None)[0]
        assert error == pytest.approx(((y[test] - x[test][:, subset] @ weight) ** 2).sum())


def test_a_heuristic_is_explained_by_one_heuristic_and_not_by_a_few_modes():
    wide, chosen = explained(
        "add",
        [
            lambda p: 3.0 * Range("op1", 10, 20).members(p) - 1.0,
            lambda p: SameOperands().members(p),
        ],
    )
    constant = wide["constant"]
    np.testing.assert_allclose(constant["heuristics", 1], 1.0, atol=1e-9)
    np.testing.assert_allclose(constant["both", 1], 1.0, atol=1e-9)
    assert (constant["modes", 2] < 0.9).all()
    first = chosen[(chosen["rival"] == "heuristics") & (chosen["place"] == 0)]
    assert set(first["name"]) == {"op1_range_10_20", "pair_same"}


@pytest.mark.parametrize("operator", ["add", "sub", "mul", "div"])
def test_modes_are_explained_by_modes_and_not_by_as_many_heuristics(operator):
    """Also where valid prompts fill a triangle or a hyperbola, and modes are not orthogonal."""

    def two_modes(p):
        a, b = columns(p, "a", "b")
        return 2 * np.cos(2 * np.pi * (a + b) / 10 + 1) + np.sin(2 * np.pi * a / 5)

    wide, chosen = explained(operator, [two_modes])
    assert wide.loc[0, ("constant", "modes", 2)] == pytest.approx(1.0, abs=1e-6)
    assert wide.loc[0, ("constant", "heuristics", 2)] < 0.75
    of_modes = chosen[(chosen["rival"] == "modes") & (chosen["start"] == "constant")]
    assert set(of_modes["name"].head(2)) == {"sum_period_10", "op1_period_5"}


def test_a_ramp_is_neither():
    def ramp(p):
        a, b = columns(p, "a", "b")
        return a - 2 * b + 5

    wide, _ = explained("add", [ramp])
    assert wide.loc[0, ("trend", "none", 0)] == pytest.approx(1.0)
    assert wide.loc[0, ("constant", "none", 0)] == pytest.approx(0.0, abs=0.01)
    assert wide.loc[0, ("constant", "heuristics", 2)] < 0.9
    assert wide.loc[0, ("constant", "modes", 2)] < 0.9


def test_noise_is_explained_by_nothing():
    rng = np.random.default_rng(1)
    noise = [lambda p: rng.normal(size=len(p)) for _ in range(5)]
    wide, chosen = explained("add", noise, n_modes=3)
    assert (wide < 0.02).all(axis=None)
    assert len(chosen) == 5 * 2 * (6 + 3)  # something is always chosen: six heuristics, three modes


def test_a_dead_neuron_has_no_share_and_takes_no_part():
    wide, chosen = explained("sub", [lambda p: np.full(len(p), 0.5)])
    assert wide.isna().all(axis=None)
    assert chosen.empty


def test_every_number_of_terms_is_fitted_for_both_rivals():
    assert [fit for fit in fits(2) if fit[0] == "heuristics"] == [
        ("heuristics", 1), ("heuristics", 2), ("heuristics", 4),
    ]  # fmt: skip
    assert ("heuristics", 2) in fits(1)
    assert len(set(fits(3))) == len(fits(3))
    pairs = {(rival, terms) for rival, terms in fits(2) if rival == "both"}
    assert pairs == {("both", 1), ("both", 2)}
    assert not any(a == b for a, b in combinations(fits(4), 2))


def write_maps(path, prompts, maps):
    arrays = {name: store.Array(prompts[name].to_numpy(), ("prompt",)) for name in prompts}
    arrays["layer"] = store.Array(np.full(len(maps), 3), ("neuron",))
    arrays["neuron"] = store.Array(np.arange(len(maps)), ("neuron",))
    arrays["k_map"] = store.Array(maps.astype(np.float32), ("neuron", "prompt"))
    store.write_artifact(path, "maps", arrays, coords={}, provenance={})


def explain(path, operator, n_prompts=1_000):
    return explain_maps(
        path, operator, SETTINGS, n_prompts=n_prompts, n_modes=2, periods=PERIODS,
        rng=generator(0, "explain_maps"),
    )  # fmt: skip


def test_a_sample_of_the_prompts_tells_what_all_do(tmp_path):
    prompts = prompts_of("sub")[["a", "b", "answer"]]
    maps = np.stack([Modulo("result", 3, 1).members(prompts), prompts["a"] % 2]).astype(float)
    write_maps(tmp_path / "maps.h5", prompts, maps)
    found = explain(tmp_path / "maps.h5", "sub", n_prompts=300)
    table, chosen = found.explained, found.chosen
    assert found.n_prompts == 300
    assert found.spectra.shape == (2, len(found.modes))
    one = table[(table["rival"] == "heuristics") & (table["terms"] == 1)]
    np.testing.assert_allclose(one["explained"], 1.0)
    assert {"result_mod_3_1", "op1_period_2"} <= set(chosen["name"])


@pytest.mark.parametrize(("n_prompts", "n_neurons"), [(0, 0), (0, 2), (3, 2), (50, 0)])
def test_too_little_gives_empty_tables(tmp_path, n_prompts, n_neurons):
    prompts = prompts_of("add")[["a", "b", "answer"]].head(n_prompts)
    write_maps(tmp_path / "maps.h5", prompts, np.ones((n_neurons, n_prompts)))
    found = explain(tmp_path / "maps.h5", "add")
    assert found.explained.empty
    assert found.chosen.empty
    assert {"rival", "explained"} <= set(found.explained.columns)
    write_spectra(tmp_path / "spectra.h5", found, {})
    with store.open_artifact(tmp_path / "spectra.h5", KIND) as artifact:
        assert artifact.read("share").shape == (n_neurons, 0)
        assert len(artifact.coords("mode")) == 0


def test_a_handful_of_prompts_is_enough_to_run(tmp_path):
    prompts = prompts_of("add")[["a", "b", "answer"]].head(5)
    write_maps(tmp_path / "maps.h5", prompts, np.arange(5.0)[None])
    assert len(explain(tmp_path / "maps.h5", "add").explained) == 2 * len(fits(2))
