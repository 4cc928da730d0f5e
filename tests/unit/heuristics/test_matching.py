from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import ActivationError
from pipeline_lib.heuristics import (
    AUTHORS,
    PAPER,
    HeuristicIndex,
    HeuristicSettings,
    association_matrix,
    chance_corrected,
    kind_scores,
    match_table,
    multi_value_scores,
    score_maps,
    score_neurons,
)
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS, valid_prompts

PAPER_SETTINGS = HeuristicSettings.from_values(PAPER)
AUTHORS_SETTINGS = HeuristicSettings.from_values(AUTHORS)
FORMULA = HeuristicSettings.from_values({**PAPER, "size_rule": "formula"})


def build(operator, settings=PAPER_SETTINGS, max_operand=20, max_number=99):
    prompts = valid_prompts(operator, min_operand=0, max_operand=max_operand, max_number=max_number)
    return HeuristicIndex.build(
        operator, settings, prompts, max_operand=max_operand, max_number=max_number
    )


def planted(index, name, rng):
    """Map that is high on exactly the heuristic's prompts, in a random order."""
    member = index.heuristics[index.names.index(name)].members(index.prompts)
    return (10.0 * member + rng.random(len(member))).astype(np.float32)


def neurons(n):
    return pd.DataFrame({"layer": np.arange(n) // 2 + 3, "neuron": np.arange(n) * 7})


def naive_scores(activations, index, members):
    """Score of each heuristic on top and bottom as one would write it down, without ties."""
    order = np.argsort(-activations).tolist()
    top, bottom = [], []
    for member, k in zip(members, index.k.tolist(), strict=True):
        top.append(len(member.intersection(order[:k])) / max(k, 1))
        bottom.append(len(member.intersection(order[len(order) - k :])) / max(k, 1))
    return np.array(top), np.array(bottom)


def member_sets(index):
    members = association_matrix(index.heuristics, index.prompts)
    return [set(np.flatnonzero(row).tolist()) for row in members]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("settings", [PAPER_SETTINGS, FORMULA], ids=["exact", "formula"])
def test_scores_equal_a_naive_implementation(operator, settings):
    index = build(operator, settings)
    rng = generator(0, "matching", operator)
    maps = np.stack([rng.permutation(len(index.prompts)) for _ in range(3)]).astype(np.float32)
    scores, members = score_maps(maps, index), member_sets(index)
    for row, activations in enumerate(maps):
        top, bottom = naive_scores(activations, index, members)
        np.testing.assert_allclose(scores.top[row], top, atol=1e-6)
        np.testing.assert_allclose(scores.bottom[row], bottom, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "op1_range_10_20",
        "both_range_0_10",
        "result_mod_7_3",
        "op2_pattern_xx3",
        "result_pattern_x2x",
        "op1_value_4",
        "pair_same",
        "both_mod_3_1",
    ],
)
def test_a_planted_neuron_scores_one(name):
    index = build("add")
    maps = planted(index, name, generator(1, "planted"))[None]
    scores = score_maps(np.concatenate([maps, -maps]), index)
    column = index.names.index(name)
    assert scores.top[0, column] == 1
    assert scores.bottom[1, column] == 1
    assert scores.top[1, column] < 1


def test_hand_computed_scores():
    """Operands below 3; the map falls with a, then with b."""
    index = build("add", max_operand=3)
    maps = -(3.0 * index.prompts["a"] + index.prompts["b"]).to_numpy(np.float32)[None]
    scores = score_maps(maps, index)
    table = pd.DataFrame({"top": scores.top[0], "bottom": scores.bottom[0]}, index=index.names)
    assert table.loc["op1_value_0"].tolist() == [1, 0]
    assert table.loc["op2_value_0"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert table.loc["op1_mod_2_0"].tolist() == pytest.approx([3 / 6, 3 / 6])
    assert table.loc["result_value_2"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert table.loc["pair_same"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert table.loc["both_mod_2_0"].tolist() == pytest.approx([2 / 4, 2 / 4])


def test_a_constant_map_scores_the_base_rate():
    for operator in OPERATORS:
        index = build(operator)
        maps = np.full((1, len(index.prompts)), -2.5, dtype=np.float32)
        scores = score_maps(maps, index)
        np.testing.assert_allclose(scores.top[0], index.base_rate, atol=1e-6)
        np.testing.assert_allclose(scores.bottom[0], index.base_rate, atol=1e-6)


def test_ties_count_as_if_broken_at_random():
    """Nine prompts on three levels, against the mean over all 3! x 4! x 2! orders."""
    index = build("add", max_operand=3)
    levels = np.array([2, 0, 1, 1, 2, 0, 1, 2, 1], dtype=np.float64)
    groups = [np.flatnonzero(levels == level) for level in (2, 1, 0)]
    orders = list(product(*(permutations(group) for group in groups)))
    assert len(orders) == 6 * 24 * 2
    ends, members = [], member_sets(index)
    for order in orders:
        activations = np.empty(9)
        activations[np.concatenate(order)] = np.arange(9, 0, -1)
        ends.append(naive_scores(activations, index, members))
    scores = score_maps(levels[None], index)
    top, bottom = np.mean(ends, axis=0)
    np.testing.assert_allclose(scores.top[0], top, atol=1e-6)
    np.testing.assert_allclose(scores.bottom[0], bottom, atol=1e-6)


def test_scores_do_not_depend_on_the_order_of_the_prompts():
    index = build("mul", AUTHORS_SETTINGS, max_operand=30, max_number=200)
    rng = generator(3, "order")
    maps = rng.integers(0, 6, (4, len(index.prompts))).astype(np.float32)
    shuffle = rng.permutation(len(index.prompts))
    other = HeuristicIndex.build(
        "mul", AUTHORS_SETTINGS, index.prompts.iloc[shuffle], max_operand=30, max_number=200
    )
    here, there = score_maps(maps, index), score_maps(maps[:, shuffle], other)
    assert index.names == other.names
    np.testing.assert_array_equal(here.top, there.top)
    np.testing.assert_array_equal(here.bottom, there.bottom)


def test_white_noise_scores_the_base_rate_on_average():
    index = build("sub", max_operand=30)
    rng = generator(4, "noise")
    maps = rng.standard_normal((300, len(index.prompts))).astype(np.float32)
    mean = score_maps(maps, index).top.mean(axis=0)
    spread = np.sqrt(index.base_rate * (1 - index.base_rate) / index.k / 300)
    assert (np.abs(mean - index.base_rate) <= 5 * spread + 1e-6).all()


def test_kinds_take_their_scores_from_the_right_map_and_end():
    index = build("add")
    rng = generator(5, "kinds")
    operand, result = planted(index, "op1_mod_3_1", rng), planted(index, "result_mod_4_2", rng)
    k, kv = score_neurons(np.stack([-operand, -result]), np.stack([result, -result]), index)
    op, res = index.names.index("op1_mod_3_1"), index.names.index("result_mod_4_2")
    by_kind = {kind: kind_scores(k, kv, index, kind) for kind in ("K", "KV", "hybrid")}
    assert by_kind["K"].score[0, op] == 1
    assert by_kind["K"].bottom[0, op]
    assert by_kind["K"].score[1, res] == 1
    assert by_kind["KV"].score[0, res] == 1
    assert not by_kind["KV"].bottom.any()
    assert by_kind["KV"].score[1, res] < 1  # KV maps have no bottom
    assert by_kind["hybrid"].score[0, op] == 1
    assert by_kind["hybrid"].score[0, res] == 1
    assert by_kind["hybrid"].score[1, res] < 1


@pytest.mark.parametrize("operator", ["add", "mul", "div"])
@pytest.mark.parametrize("settings", [PAPER_SETTINGS, AUTHORS_SETTINGS], ids=["paper", "authors"])
def test_hybrid_alone_equals_hybrid_among_all_kinds(operator, settings):
    index = build(operator, settings)
    maps = generator(13, "hybrid", operator).random((2, 4, len(index.prompts)))
    maps[:, 0] += index.prompts["answer"].to_numpy() == 0
    everything = score_neurons(*maps, index)
    alone = score_neurons(*maps, index, kinds=("hybrid",))
    expected, found = (kind_scores(*scores, index, "hybrid") for scores in (everything, alone))
    np.testing.assert_array_equal(found.score, expected.score)
    np.testing.assert_array_equal(found.bottom, expected.bottom)


def test_authors_ends_depend_on_the_type():
    index = build("add", AUTHORS_SETTINGS)
    rng = generator(6, "ends")
    names = ["op1_range_10_20", "result_mod_4_2", "result_range_0_10", "pair_same"]
    maps = -np.stack([planted(index, name, rng) for name in names])
    k, kv = score_neurons(maps, maps, index)
    columns = [index.names.index(name) for name in names]
    for kind in ("K", "KV"):
        made = kind_scores(k, kv, index, kind)
        assert made.bottom[np.arange(4), columns].tolist() == [True, True, False, False]


@pytest.mark.parametrize("shape", [(0, None), (2, 0)])
def test_nothing_in_nothing_out(shape):
    index = build("add", max_operand=3)
    if shape[1] == 0:
        index = HeuristicIndex.build(
            "add", PAPER_SETTINGS, index.prompts.iloc[:0], max_operand=3, max_number=99
        )
    maps = np.zeros((shape[0], len(index.prompts)), dtype=np.float32)
    k, kv = score_neurons(maps, maps, index)
    assert k.top.shape == (shape[0], len(index.heuristics))
    table = match_table(k, kv, index, neurons(shape[0]), threshold=0.6)
    assert len(table) == 0
    assert table.columns.tolist()[:4] == ["kind", "layer", "neuron", "heuristic"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_in_a_map_names_the_neuron(bad):
    index = build("add", max_operand=3)
    maps = np.zeros((3, 9), dtype=np.float32)
    maps[1, 4] = bad
    with pytest.raises(ActivationError, match="layer 3, neuron 7"):
        score_maps(maps, index, neurons(3))
    with pytest.raises(ActivationError, match="map 1"):
        score_maps(maps, index)


def test_match_table():
    index = build("add", max_operand=10)
    rng = generator(7, "table")
    operand = planted(index, "op1_mod_3_1", rng)
    flat = np.zeros_like(operand)
    k, kv = score_neurons(np.stack([flat, -operand]), np.stack([flat, flat]), index)
    table = match_table(k, kv, index, neurons(2), threshold=0.9, kinds=("hybrid", "K"))
    assert table["kind"].tolist() == sorted(table["kind"], key=["K", "hybrid"].index)
    # operands below 10: also 1, 4, 7 = the only values of remainder 1 modulo 3
    mine = table[(table["kind"] == "hybrid") & (table["heuristic"] == "op1_mod_3_1")].iloc[0]
    assert mine[["layer", "neuron", "map", "side", "type", "target"]].tolist() == [
        3,
        7,
        "K",
        "bottom",
        "modulo",
        "op1",
    ]
    assert mine["base_rate"] == pytest.approx(0.3)
    assert mine["corrected_score"] == 1
    # the flat neuron scores 1 only on ranges that hold for every prompt, which never match
    assert (table["neuron"] == 7).all()
    everything = match_table(k, kv, index, neurons(2), threshold=0.9, kinds=("K",), degenerate=True)
    flat_names = everything.loc[everything["neuron"] == 0, "heuristic"].tolist()
    assert "op1_range_0_10" in flat_names
    assert everything.loc[everything["neuron"] == 0, "corrected_score"].isna().all()


def test_match_table_respects_the_largest_base_rate():
    index = build("mul", max_operand=30, max_number=200)
    even = planted(index, "result_mod_2_0", generator(8, "even"))[None]
    scores = score_neurons(even, even, index)
    rate = index.base_rate[index.names.index("result_mod_2_0")]
    for limit, found in ((1.0, True), (rate + 0.01, True), (rate - 0.01, False)):
        table = match_table(
            *scores, index, neurons(1), threshold=0.95, kinds=("KV",), max_base_rate=limit
        )
        assert ("result_mod_2_0" in table["heuristic"].tolist()) is found


def test_chance_corrected_scores():
    corrected = chance_corrected(np.array([0.5, 1.0, 0.75, 1.0]), np.array([0.5, 0.5, 0.5, 1.0]))
    np.testing.assert_allclose(corrected, [0, 1, 0.5, np.nan])


def test_multi_value_neurons_of_division():
    index = build("div", max_operand=40, max_number=99)
    answer = index.prompts["answer"].to_numpy()
    settings = HeuristicSettings.from_values({**PAPER, "multi_value_prompts": 50})
    index = HeuristicIndex.build("div", settings, index.prompts, max_operand=40, max_number=99)
    rng = generator(9, "multi")
    few = (5.0 * np.isin(answer, [2, 5]) + rng.random(len(answer))).astype(np.float32)
    one = (5.0 * (answer == 1) + rng.random(len(answer))).astype(np.float32)
    many = rng.random(len(answer)).astype(np.float32)
    k, kv = score_neurons(np.stack([few, one, many]), np.stack([many, few, one]), index)
    assert k.multi_value["heuristic"].tolist() == ["result_values_2_5"]
    assert k.multi_value["row"].tolist() == [0]
    assert k.multi_value["score"].tolist() == [1.0]
    assert multi_value_scores(k, kv, "hybrid")["row"].tolist() == [1]
    table = match_table(k, kv, index, neurons(3), threshold=0.6, kinds=("hybrid",))
    row = table[table["type"] == "multi_value"].iloc[0]
    assert (row["layer"], row["neuron"], row["map"]) == (3, 7, "KV")
    assert row["base_rate"] == pytest.approx(np.isin(answer, [2, 5]).mean())


def test_multi_values_need_the_share_and_count_in_the_formula_too():
    prompts = pd.DataFrame(
        {"a": [0] * 100, "b": [1] * 100, "answer": [3] * 47 + [4] * 48 + [9] * 5}
    )
    for share, expected in ((0.95, "result_values_3_4"), (0.96, "result_values_3_4_9")):
        settings = HeuristicSettings.from_values(
            {**PAPER, "multi_value_share": share, "size_rule": "formula"}
        )
        index = HeuristicIndex.build("div", settings, prompts, max_operand=2, max_number=9)
        found = score_maps(np.arange(100.0)[None], index).multi_value
        assert found["heuristic"].tolist() == [expected]
        assert found["score"].tolist() == [share if share == 0.95 else 1.0]


def test_mined_patterns_count_only_where_they_are_frequent():
    """Authors: top max x f = 40 prompts, five most frequent of all 7 shapes, a tenth at least."""
    index = build("sub", AUTHORS_SETTINGS, max_operand=80)
    assert index.mining_depth == int(80 * (81 * 80 / 2) / 80**2) == 40
    a = index.prompts["a"].to_numpy()
    rng = generator(10, "mined")
    maps = (10.0 * (a % 10 == 7) + 5.0 * (a == 57) + rng.random(len(a))).astype(np.float32)[None]
    scores = score_maps(maps, index)
    named = dict(zip(index.names, scores.top[0], strict=True))
    # the top 40 prompts are all 57: 057, 05., 0.7, .57, 0.. are the five most frequent, two of
    # them ranges; .5. and ..7 are as frequent but give fewer digits
    assert named["op1_value_57"] == named["op1_pattern_0x7"] == named["op1_pattern_x57"] == 1
    assert named["op1_pattern_x5x"] == named["op1_pattern_xx7"] == named["op1_value_47"] == 0


def test_a_zero_product_neuron_is_not_given_its_multiples():
    index = build("mul", AUTHORS_SETTINGS, max_operand=50, max_number=999)
    maps = planted(index, "result_value_0", generator(11, "zero"))[None]
    off = HeuristicSettings.from_values({**AUTHORS, "zero_result_limit": None})
    without = HeuristicIndex.build("mul", off, index.prompts, max_operand=50, max_number=999)
    names = ["result_value_0", "result_mod_3_0", "result_pattern_0x0", "result_range_0_10"]
    columns = [index.names.index(name) for name in names]
    assert score_maps(maps, index).top[0, columns].tolist() == [1, 0, 0, 1]
    assert score_maps(maps, without).top[0, columns].tolist() == [1, 1, 1, 1]


def test_formula_lets_an_eighth_pass_as_perfect():
    """Documented defect 2: right on its first 1089 of 10000 prompts only, the formula scores 1."""
    rng = generator(12, "defect 2")
    scores = {}
    for settings in (PAPER_SETTINGS, AUTHORS_SETTINGS):
        index = build("add", settings, max_operand=300, max_number=999)
        member = index.prompts["answer"].to_numpy() % 9 == 4
        maps = rng.random(len(member))
        maps[rng.choice(np.flatnonzero(member), 1089, replace=False)] += 1
        row = index.names.index("result_mod_9_4")
        scores[settings.size_rule] = score_maps(maps[None], index).top[0, row]
    assert scores["formula"] == 1
    # the other 8911 of its top 10000 prompts are a random tenth members
    assert scores["exact"] == pytest.approx((1089 + 8911 * 8911 / 88911) / 10000, abs=0.01)
