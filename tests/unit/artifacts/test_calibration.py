"""Calibration of map artifacts: block by block as at once, and of nothing at all."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts import calibration
from pipeline_lib.artifacts.maps import Maps
from pipeline_lib.heuristics import Heuristic, HeuristicIndex, HeuristicSettings
from pipeline_lib.heuristics.calibration.families import NULL_COLUMNS
from pipeline_lib.heuristics.calibration.table import LINK_COLUMNS, NEURON_COLUMNS
from pipeline_lib.stimuli.arithmetic import valid_prompts

LIMITS = {"max_operand": 30, "max_number": 99}
MATCHING = {"kind": "hybrid", "max_base_rate": 1.0, "min_share": 0.05}
OPTIONS = {**MATCHING, "nulls": ["surrogate", "low_effect"], "surrogates": 29}
PLANTED = ("op1_mod_2_0", "op2_range_10_20", "op1_value_4", "both_mod_3_1", "op1_pattern_xx7")
LAYERS = [1, 1, 1, 2, 2, 2, 2]


@pytest.fixture(scope="module")
def prompts():
    return valid_prompts("sub", min_operand=0, **LIMITS)


@pytest.fixture(scope="module")
def index(prompts):
    return HeuristicIndex.build("sub", HeuristicSettings(), prompts, **LIMITS)


@pytest.fixture(scope="module")
def maps(prompts):
    """Five neurons that are a heuristic each, one of noise and one that is a ramp."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(prompts))
    rows = [Heuristic.from_name(name).members(prompts) + 0.1 * noise for name in PLANTED]
    rows += [rng.standard_normal(len(prompts)), 2 * prompts["a"].to_numpy()]
    neurons = pd.DataFrame({"layer": LAYERS, "neuron": range(len(LAYERS))})
    logits = np.ones((len(LAYERS), 100), dtype=np.float32)
    return Maps(neurons, prompts, np.array(rows, dtype=np.float32), logits)


@pytest.fixture(scope="module")
def null_maps():
    """The evidence of silent neurons, of layer 2 alone."""
    evidence = np.linspace(0.0, 0.2, 40)
    rows = {"family": "low_effect", "layer": 2, "neuron": range(40), "evidence": evidence}
    return pd.DataFrame({**rows, "score": np.nan})[NULL_COLUMNS]


def blocks_of(maps, size):
    """The same maps in blocks."""
    for start in range(0, len(maps.neurons), size):
        rows = slice(start, start + size)
        neurons = maps.neurons.iloc[rows].reset_index(drop=True)
        yield Maps(neurons, maps.prompts, maps.k_map[rows], maps.value_logits[rows])


def calibrated(blocks, index, null_maps, **changes):
    options = {**OPTIONS, "rng": np.random.default_rng(2), **changes}
    return calibration.calibrate(blocks, index, null_maps, **options)


def test_neurons_are_told_from_noise(maps, index, null_maps):
    neurons, links = calibrated([maps], index, null_maps)
    assert list(neurons) == NEURON_COLUMNS
    assert list(links) == LINK_COLUMNS
    first = links[links["link"] == 0]
    assert first["heuristic"].tolist()[:5] == list(PLANTED)
    assert neurons["heuristic"].tolist()[:5] == list(PLANTED)
    assert (neurons["p_value"][:5] < 0.05).all()
    assert (neurons["p_value"][5:] > 0.05).all()
    # a ramp is its own trend: it has no chain, and its surrogate is itself
    assert neurons.loc[6, ["evidence", "surrogate_evidence", "p_value"]].tolist() == [0, 0, 1]
    assert 6 not in set(links["neuron"])
    # silent neurons say something about their own layer alone
    assert neurons["p_low_effect"].isna().tolist() == [True] * 3 + [False] * 4
    assert neurons[["p_direction", "p_untrained"]].isna().all(axis=None)
    families = neurons[["p_surrogate", "p_low_effect"]].max(axis=1)
    assert neurons["p_value"][:6].tolist() == families[:6].tolist()


def test_surrogates_have_less_evidence_than_their_neurons(maps, index, null_maps):
    neurons, _ = calibrated([maps], index, null_maps)
    assert (neurons["surrogate_evidence"][:5] < neurons["evidence"][:5] / 3).all()
    assert neurons["surrogate_score"].between(0, 1).all()


@pytest.mark.parametrize("size", [1, 3])
def test_blocks_do_not_change_the_result(maps, index, null_maps, size):
    whole = calibrated([maps], index, null_maps)
    parts = calibrated(blocks_of(maps, size), index, null_maps)
    for one, other in zip(whole, parts, strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-6)


def test_a_chain_ends_at_once_where_silent_neurons_have_as_much_evidence(maps, index, null_maps):
    loud = null_maps.assign(layer=1, evidence=1.0)
    options = {"nulls": ["surrogate", "low_effect"]}
    neurons, links = calibrated([maps], index, loud, **options)
    assert neurons["p_value"].tolist()[:3] == [1.0, 1.0, 1.0]
    assert (links.loc[links["layer"] == 1, "link"] == 0).all()
    without, _ = calibrated([maps], index, loud, nulls=["surrogate"])
    assert (without["p_value"][:3] < 0.05).all()


@pytest.mark.parametrize("n_blocks", [0, 1])
def test_an_operator_without_neurons_gives_empty_tables(maps, index, null_maps, n_blocks):
    none = Maps(maps.neurons.iloc[:0], maps.prompts, maps.k_map[:0], maps.value_logits[:0])
    neurons, links = calibrated([none] * n_blocks, index, null_maps.iloc[:0])
    assert neurons.empty
    assert links.empty
    assert list(neurons) == NEURON_COLUMNS
    assert list(links) == LINK_COLUMNS


def write_maps(path, maps):
    arrays = {
        **{n: store.Array(maps.neurons[n].to_numpy(), ("neuron",)) for n in ("layer", "neuron")},
        **{n: store.Array(maps.prompts[n].to_numpy(), ("prompt",)) for n in ("a", "b", "answer")},
        "k_map": store.Array(maps.k_map, ("neuron", "prompt")),
        "value_logits": store.Array(maps.value_logits, ("neuron", "number")),
    }
    store.write_artifact(path, "maps", arrays, coords={}, provenance={})
    return path


def test_an_artifact_is_calibrated_in_blocks_as_its_maps_are_at_once(
    maps, index, null_maps, tmp_path, monkeypatch
):
    monkeypatch.setattr(calibration, "BLOCK", 4)
    path = write_maps(tmp_path / "maps.h5", maps)
    rng = np.random.default_rng(2)
    found = calibration.calibrate_maps(
        path, "sub", null_maps, HeuristicSettings(), **LIMITS, **OPTIONS, rng=rng
    )
    for one, other in zip(calibrated([maps], index, null_maps), found, strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-6)
    untested = calibration.map_chains(path, "sub", index, **MATCHING)
    assert untested.loc[untested["link"] == 0, "heuristic"].tolist()[:5] == list(PLANTED)
    assert (untested["p_value"] == 1).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_calibration_goes_on_where_an_attempt_died(
    maps, index, null_maps, tmp_path, monkeypatch, two_attempts, steps
):
    monkeypatch.setattr(calibration, "BLOCK", 2)
    path = write_maps(tmp_path / "maps.h5", maps)

    def links_and_neurons():
        options = {**LIMITS, **OPTIONS, "rng": np.random.default_rng(2)}
        return calibration.calibrate_maps(path, "sub", null_maps, HeuristicSettings(), **options)

    def links_alone():
        return (calibration.map_chains(path, "sub", index, **MATCHING),)

    for work in (links_and_neurons, links_alone):
        for one, other in zip(two_attempts(work, steps), work(), strict=True):
            pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize(("n_neurons", "n_prompts"), [(0, None), (None, 0)])
def test_an_artifact_of_nothing_gives_empty_tables(maps, tmp_path, n_neurons, n_prompts):
    rows, columns = slice(n_neurons), slice(n_prompts)
    nothing = Maps(
        maps.neurons.iloc[rows],
        maps.prompts.iloc[columns],
        maps.k_map[rows, columns],
        maps.value_logits[rows],
    )
    path = write_maps(tmp_path / "maps.h5", nothing)
    none, rng = pd.DataFrame(columns=NULL_COLUMNS), np.random.default_rng(2)
    neurons, links = calibration.calibrate_maps(
        path, "sub", none, HeuristicSettings(), **LIMITS, **OPTIONS, rng=rng
    )
    assert (list(neurons), list(links)) == (NEURON_COLUMNS, LINK_COLUMNS)
    assert neurons.empty
    assert links.empty
    index = HeuristicIndex.build("sub", HeuristicSettings(), nothing.prompts, **LIMITS)
    assert calibration.map_chains(path, "sub", index, **MATCHING).empty
