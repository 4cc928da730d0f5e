"""Evidence: squared partial correlation with a heuristic's indicator, beside least squares."""

import numpy as np
import pytest

from pipeline_lib.heuristics.calibration.evidence import Evidence, Grid, trend_terms
from pipeline_lib.heuristics.types import ExactValue, Heuristic, Range

OPERATORS = ("add", "sub", "mul", "div")


def by_least_squares(index, heuristic, values):
    """The share of a map that the indicator explains of what the trend leaves."""
    trend = np.stack([np.ones(len(values)), *trend_terms(index.prompts)], axis=1)
    member = heuristic.members(index.prompts).astype(float)

    def left(columns):
        fit, *_ = np.linalg.lstsq(columns, values, rcond=None)
        return ((values - columns @ fit) ** 2).sum()

    without = left(trend)
    return 1 - left(np.column_stack([trend, member])) / without


@pytest.mark.parametrize("operator", OPERATORS)
def test_evidence_is_what_least_squares_explains_beyond_the_trend(operator, evidence_of, rng):
    evidence = evidence_of(operator)
    index, maps = evidence.index, rng.standard_normal((2, len(evidence.index.prompts)))
    maps[1] += 3 * Range("op1", 10, 20).members(index.prompts)
    found = evidence.correlations(evidence.residuals(maps.astype(np.float32))) ** 2
    for row in rng.permutation(len(evidence.heuristics))[:40]:
        for values, share in zip(maps, found[:, row], strict=True):
            expected = by_least_squares(index, evidence.heuristics[row], values)
            assert share == pytest.approx(expected, abs=2e-4), evidence.heuristics[row].name


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_map_that_is_a_heuristic_is_explained_by_it_alone(operator, evidence_of):
    evidence = evidence_of(operator)
    places = range(0, len(evidence.heuristics), 7)
    members = [evidence.heuristics[row].members(evidence.index.prompts) for row in places]
    maps = np.array(members, dtype=np.float32)
    found = evidence.correlations(evidence.residuals(maps))
    for map_row, row in enumerate(places):
        if evidence.left[row]:
            assert found[map_row, row] == pytest.approx(1.0, abs=1e-3)
            best = np.argmax(np.abs(found[map_row]))
            assert abs(found[map_row, best]) == pytest.approx(1.0, abs=1e-3)


def test_ramps_and_smooth_surfaces_leave_nothing(evidence_of):
    evidence = evidence_of("add")
    a, b = (evidence.index.prompts[name].to_numpy(float) for name in ("a", "b"))
    maps = np.stack([3 * a - b + 7, a**2 * b / 100, np.full(len(a), 5.0)]).astype(np.float32)
    assert not evidence.residuals(maps).any()


def test_a_range_at_the_edge_of_a_ramp_has_no_evidence(evidence_of, rng):
    evidence = evidence_of("add")
    a = evidence.index.prompts["a"].to_numpy(float)
    ramp = (a + 0.01 * rng.standard_normal(len(a))).astype(np.float32)
    found = evidence.correlations(evidence.residuals(ramp[None]))[0] ** 2
    names = [heuristic.name for heuristic in evidence.heuristics]
    top = Range("op1", 30, 40).members(evidence.index.prompts)
    best = np.argsort(-ramp)[: int(top.sum())]
    assert top[best].mean() > 0.99  # its score is perfect
    assert found[names.index("op1_range_30_40")] < 0.01


@pytest.mark.parametrize("operator", OPERATORS)
def test_heuristics_are_distinct_and_not_degenerate(operator, evidence_of):
    evidence = evidence_of(operator)
    prompts = evidence.index.prompts
    members = [heuristic.members(prompts).tobytes() for heuristic in evidence.heuristics]
    assert len(set(members)) == len(members)
    assert not any(heuristic.members(prompts).all() for heuristic in evidence.heuristics)
    left_out = set(evidence.index.heuristics) - set(evidence.heuristics)
    assert {h.members(prompts).tobytes() for h in left_out if not h.members(prompts).all()} <= set(
        members
    )


def test_of_equal_heuristics_the_exact_value_stays(make_index):
    index = make_index("add")
    kept = Evidence.build(index).heuristics
    only = [h for h in index.heuristics if h.members(index.prompts).sum() == 1 and h in kept]
    assert only
    assert all(isinstance(heuristic, ExactValue) for heuristic in only)


def test_a_base_rate_limit_leaves_out_the_frequent_ones(make_index):
    index = make_index("mul")
    kept = Evidence.build(index, max_base_rate=0.5).heuristics
    assert max(h.members(index.prompts).mean() for h in kept) <= 0.5
    assert len(kept) < len(Evidence.build(index).heuristics)


def test_what_joins_the_trend_is_no_evidence_any_more(evidence_of, rng):
    evidence = evidence_of("add")
    known = Heuristic.from_name("op1_mod_4_1")
    indicator = known.members(evidence.index.prompts).astype(np.float32)
    noise = rng.standard_normal(len(indicator)).astype(np.float32)
    beyond = evidence.beyond(indicator)
    assert not beyond.residuals(indicator[None]).any()
    maps = (5 * indicator + noise)[None]
    names = [heuristic.name for heuristic in evidence.heuristics]
    before, after = (
        (e.correlations(e.residuals(maps))[0] ** 2)[names.index("op1_mod_2_1")]
        for e in (evidence, beyond)
    )
    assert before > 0.2
    assert after < 0.02
    # rounding of this processor's matrix library apart
    assert beyond.left[names.index("op1_mod_4_1")] < 1e-3
    # half of what the remainder 1 of 2 has is the remainder 1 of 4
    at = names.index("op1_mod_2_1")
    expected = by_columns(evidence, "op1_mod_2_1", indicator)
    assert beyond.left[at] == pytest.approx(expected, rel=1e-3)


def by_columns(evidence, name, extra):
    terms = [np.ones(len(extra)), *trend_terms(evidence.index.prompts), extra]
    columns = np.stack(terms, axis=1)
    member = Heuristic.from_name(name).members(evidence.index.prompts).astype(float)
    fit, *_ = np.linalg.lstsq(columns, member, rcond=None)
    return ((member - columns @ fit) ** 2).sum()


def test_some_of_the_heuristics_have_the_same_evidence(evidence_of, rng):
    evidence = evidence_of("div")
    part = evidence.only(evidence.on_result)
    left = evidence.residuals(rng.standard_normal((3, len(evidence.index.prompts))).astype("f4"))
    whole = evidence.correlations(left)[:, evidence.on_result]
    np.testing.assert_allclose(part.correlations(left), whole, atol=1e-6)
    assert all(heuristic.target == "result" for heuristic in part.heuristics)


def test_one_heuristic_more_is_compared_alike(evidence_of, rng):
    evidence = evidence_of("div")
    left = evidence.residuals(rng.standard_normal((1, len(evidence.index.prompts))).astype("f4"))
    for row in (0, 50, len(evidence.heuristics) - 1):
        alone = evidence.correlation(evidence.heuristics[row], left[0])
        assert alone == pytest.approx(evidence.correlations(left)[0, row], abs=1e-4)


def test_pictures_hold_every_prompt_at_its_operands(evidence_of):
    prompts = evidence_of("div").index.prompts
    grid = Grid.of(prompts)
    pictures = grid.pictures(np.arange(1, len(prompts) + 1, dtype=np.float32)[None])
    low = prompts["a"].min(), prompts["b"].min()
    for row in (0, 17, len(prompts) - 1):
        a, b = prompts.loc[row, ["a", "b"]]
        assert pictures[0, a - low[0], b - low[1]] == row + 1
    assert (pictures == 0).sum() == grid.shape[0] * grid.shape[1] - len(prompts)
