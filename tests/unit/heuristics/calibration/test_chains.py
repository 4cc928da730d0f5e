"""Chains: what a neuron is made of is found, once, and nothing else."""

import numpy as np
import pytest

from pipeline_lib.heuristics import Heuristic
from pipeline_lib.heuristics.calibration.chains import Calibration
from pipeline_lib.heuristics.calibration.strongest import mined

OPERATORS = ("add", "sub", "mul", "div")


@pytest.fixture(scope="module")
def calibrations(make_index):
    made = {}

    def of(operator):
        if operator not in made:
            made[operator] = Calibration.of(
                make_index(operator),
                np.random.default_rng(0),
                kind="hybrid",
                max_base_rate=1.0,
                min_share=0.05,
                surrogates=49,
            )
        return made[operator]

    return of


def indicator(calibration, name):
    prompts = calibration.evidence.index.prompts
    return Heuristic.from_name(name).members(prompts).astype(np.float32)


def names(links):
    return [link.heuristic.name for link in links]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    "name",
    ["op1_range_10_20", "op2_mod_4_3", "both_mod_3_1", "op1_pattern_xx7", "op2_value_13"],
)
def test_a_neuron_that_is_a_heuristic_on_operands_has_a_chain_of_one(operator, name, calibrations):
    calibration = calibrations(operator)
    k = 3 * indicator(calibration, name) - 1
    links = calibration.chain(k, np.full_like(k, 2.0), 0.2)
    assert names(links) == [name]
    assert (links[0].map, links[0].side) == ("K", "top")
    assert links[0].share == pytest.approx(1.0, abs=1e-3)
    assert links[0].p_value < 0.001


@pytest.mark.parametrize("operator", ["add", "sub", "mul"])
@pytest.mark.parametrize("name", ["result_mod_3_1", "result_range_20_30", "result_value_12"])
def test_a_neuron_for_results_is_found_on_its_kv_map(operator, name, calibrations):
    calibration = calibrations(operator)
    k = indicator(calibration, name)
    links = calibration.chain(k, k.copy(), 0.2)
    assert names(links) == [name]
    assert (links[0].map, links[0].side) == ("KV", "top")
    # where the value row holds for one result alone, the KV map of any neuron does
    assert links[0].p_value < (0.05 if "value" in name else 0.001)


def test_both_parts_of_a_neuron_are_found_the_larger_first(calibrations, rng):
    calibration = calibrations("add")
    parts = [indicator(calibration, name) for name in ("op1_mod_2_0", "op2_range_10_20")]
    k = 3 * parts[0] + 2 * parts[1] + 0.2 * rng.standard_normal(len(parts[0])).astype(np.float32)
    links = calibration.chain(k, np.ones_like(k), 0.2)
    assert names(links) == ["op1_mod_2_0", "op2_range_10_20"]
    assert sum(link.share for link in links) == pytest.approx(0.98, abs=0.03)


def test_a_range_in_a_range_counts_once(calibrations):
    calibration = calibrations("add")
    k = indicator(calibration, "op1_range_0_30")
    assert names(calibration.chain(k, np.ones_like(k), 0.2)) == ["op1_range_0_30"]


def test_the_low_side_of_a_k_map_counts(calibrations):
    calibration = calibrations("sub")
    links = calibration.chain(-indicator(calibration, "op1_range_10_20"), np.ones(820, "f4"), 0.2)
    assert [(link.heuristic.name, link.side) for link in links] == [("op1_range_10_20", "bottom")]


def test_structure_of_the_value_row_alone_is_no_evidence(calibrations, rng):
    calibration = calibrations("add")
    value = indicator(calibration, "result_mod_2_0")
    for k in (np.ones_like(value), 5 + 0.1 * rng.standard_normal(len(value)).astype(np.float32)):
        links = calibration.chain(k, value, 0.2)
        assert not links or links[0].p_value > 0.2


def test_an_operand_heuristic_explains_its_kv_map_too(calibrations):
    calibration = calibrations("add")
    k = indicator(calibration, "op1_mod_3_0")
    value = calibration.evidence.index.results.astype(np.float32) % 7
    assert "op1_mod_3_0" in names(calibration.chain(k, value, 0.2))
    assert len(calibration.chain(k, value, 0.2)) == 1


def test_a_ramp_has_no_chain(calibrations):
    calibration = calibrations("mul")
    prompts = calibration.evidence.index.prompts
    k = (2 * prompts["a"] - prompts["b"]).to_numpy(np.float32)
    assert calibration.chain(k, np.ones_like(k)) == []


def test_without_surrogates_links_are_not_tested(make_index, calibrations):
    calibration = calibrations("add")
    untested = Calibration(calibration.evidence, "hybrid", 0.05)
    k = indicator(calibration, "op1_mod_2_0") + indicator(calibration, "op2_range_10_20")
    links = untested.chain(k, np.ones_like(k))
    assert set(names(links)) == {"op1_mod_2_0", "op2_range_10_20"}
    assert {link.p_value for link in links} == {1.0}


@pytest.mark.parametrize("kind", ["K", "KV"])
def test_kinds_say_which_map_counts(kind, make_index):
    options = {"max_base_rate": 1.0, "min_share": 0.05, "surrogates": 19}
    calibration = Calibration.of(make_index("sub"), np.random.default_rng(0), kind=kind, **options)
    k = indicator(calibration, "result_mod_3_1")
    (link,) = calibration.chain(k, np.full_like(k, 2.0), 0.2)
    assert (link.map, link.heuristic.name) == (kind, "result_mod_3_1")


def test_multi_value_neurons_of_div_are_found(calibrations, rng):
    calibration = calibrations("div")
    few = indicator(calibration, "result_values_2_4")
    k = few * (1 + 0.1 * rng.random(len(few))).astype(np.float32)
    assert mined(k, calibration.evidence).name == "result_values_2_4"
    links = calibration.chain(k, few, 0.2)
    assert names(links) == ["result_values_2_4"]
    assert mined(rng.random(len(few)).astype(np.float32), calibration.evidence) is None


@pytest.mark.parametrize("operator", OPERATORS)
def test_meaningless_maps_pass_at_most_at_the_nominal_rate(operator, calibrations):
    """White, smooth and linear maps; benchmarks/calibration.py has a thousand of each."""
    calibration = calibrations(operator)
    rng = np.random.default_rng(11)
    a, b = (calibration.evidence.index.prompts[name].to_numpy() for name in ("a", "b"))
    for length in (0, 1, 3, 10, 30):
        rejected = []
        for _ in range(40):
            k = surface(length, rng)[a, b].astype(np.float32)
            links = calibration.chain(k, np.ones_like(k), longest=1)
            rejected.append(bool(links) and links[0].p_value <= 0.05)
        # 6 of 40 or more have a probability of 0.01 at the rate 0.05
        assert sum(rejected) < 6, length
    for _ in range(10):
        k = (rng.standard_normal(3) @ np.stack([a, b, np.full(len(a), 9)])).astype(np.float32)
        assert calibration.chain(k, np.ones_like(k)) == []


def surface(length, rng, side=40):
    """White noise, or noise through a Gaussian of this width."""
    n = side + 8 * length
    wave = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)[None, :])
    noise = np.fft.fft2(rng.standard_normal((n, n)))
    return np.fft.ifft2(noise * np.exp(-2 * (np.pi * length * wave) ** 2)).real[:side, :side]
