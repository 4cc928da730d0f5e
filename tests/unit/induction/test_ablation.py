"""Ablations against plain hooks, and the identities that hold of every model."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.induction.ablation import (
    MEASURES,
    Subject,
    every_head,
    joint_ablation,
    no_head,
    open_subjects,
    random_sets,
    ranking,
    set_of,
    sweep_heads,
)
from pipeline_lib.induction.agreement import agreement
from pipeline_lib.induction.baseline import measure_orders, noise_floor_in
from pipeline_lib.induction.cost import ablation_cost, layers_run
from pipeline_lib.induction.expected import check_published
from pipeline_lib.induction.heads import draw_sequences, measure_heads
from pipeline_lib.induction.sizes import set_sizes
from pipeline_lib.published.induction import published_numbers
from pipeline_lib.stimuli.sequences import NAMED, order_table

PAIRS = [("X", "Y"), ("A", "B"), ("C", "D")]
REPO = "NeelNanda/Attn_Only_2L512W_C4_Code"


@pytest.fixture(scope="module")
def subjects(model):
    return open_subjects(model, PAIRS, prepend_bos=True)


@pytest.fixture(scope="module")
def sweep(subjects):
    return sweep_heads(subjects, 1e-9, seed=3)


@pytest.fixture(scope="module")
def joint(subjects, sweep):
    return joint_ablation(subjects, sweep, range(7), 6, seed=3)


def hooked_p_x(model, subject, ablated, means=None):
    """P(X) of every order with heads replaced by plain hooks on the output projections."""
    handles = []
    for layer, head in ablated:
        part = slice(head * model.d_head, (head + 1) * model.d_head)

        def edit(_, args, layer=layer, head=head, part=part):
            changed = args[0].clone()
            changed[..., part] = 0 if means is None else means[layer][:, part]
            return (changed,)

        projection = model.hf.model.layers[layer].self_attn.o_proj
        handles.append(projection.register_forward_pre_hook(edit))
    with torch.no_grad():
        logits = model.hf(subject.prompts.tokens).logits[:, -1]
    for handle in handles:
        handle.remove()
    x, y = logits[:, subject.prompts.symbol_ids].unbind(-1)
    return torch.sigmoid(x - y).numpy()


def hooked_means(model, tokens):
    """Mean over prompts of what enters each output projection [layer][token, width]."""
    seen = {}
    handles = [
        model.hf.model.layers[layer].self_attn.o_proj.register_forward_pre_hook(
            lambda _, args, layer=layer: seen.__setitem__(layer, args[0].mean(0))
        )
        for layer in range(model.n_layers)
    ]
    with torch.no_grad():
        model.hf(tokens)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("kind", ["zero", "mean"])
@pytest.mark.parametrize("heads", [[(0, 1)], [(1, 2)], [(0, 0), (1, 1), (1, 2)]])
def test_ablated_heads_are_those_of_plain_hooks(model, subjects, kind, heads):
    subject = subjects[0]
    means = hooked_means(model, subject.prompts.tokens) if kind == "mean" else None
    expected = hooked_p_x(model, subject, heads, means)
    found = subject.measured(set_of(model, heads)[None], kind)
    assert found["drift"][0] == pytest.approx(np.ptp(expected), abs=1e-9)
    assert found["mae"][0] == pytest.approx(np.abs(expected - 0.5).mean(), abs=1e-9)
    places = [subject.prompts.orders.index(order) for order in NAMED.values()]
    assert found["named_drift"][0] == pytest.approx(np.ptp(expected[places]), abs=1e-9)


def test_without_heads_only_the_last_symbol_counts(model, subjects):
    """No position reads another one, so there are two values of P(X): after X and after Y."""
    subject = subjects[0]
    logits = subject.logits(torch.ones_like(no_head(model)), "zero")[0]
    gaps = np.round(logits[:, 0] - logits[:, 1], 9)
    assert len(set(gaps)) == 2
    last = [order[-1] for order in subject.prompts.orders]
    assert len(set(zip(last, gaps, strict=True))) == 2


def test_the_sweep_is_drift_before_minus_after(model, subjects, sweep):
    rows = sweep[(sweep["kind"] == "zero") & (sweep["measure"] == "drift")]
    assert len(rows) == 6
    before = [hooked_p_x(model, subject, []) for subject in subjects]
    after = [hooked_p_x(model, subject, [(1, 2)]) for subject in subjects]
    effects = [np.ptp(b) - np.ptp(a) for b, a in zip(before, after, strict=True)]
    row = rows[(rows["layer"] == 1) & (rows["component"] == "head_2")].iloc[0]
    assert row["effect"] == pytest.approx(np.mean(effects), abs=1e-9)
    assert row["of_symbols"] == pytest.approx(effects[0], abs=1e-9)
    assert row["share"] == pytest.approx(effects[0] / np.ptp(before[0]), abs=1e-9)
    assert (row["n"], row["position"]) == (3, "all")
    assert row["low"] <= row["effect"] <= row["high"]
    assert sorted(rows["rank"]) == [1, 2, 3, 4, 5, 6]
    best = rows.set_index("rank").sort_index()["of_symbols"]
    assert (best.diff().dropna() <= 0).all()


def test_error_is_what_ablation_adds(sweep):
    rows = sweep[sweep["measure"] == "mae"]
    np.testing.assert_allclose(rows["effect"], rows["metric_after"] - rows["metric_before"])
    assert rows["share"].isna().all()


def test_a_drift_within_the_noise_is_not_divided_by(subjects):
    found = sweep_heads(subjects[:1], floor=1.0, seed=0)
    assert found["share"].isna().all()
    assert found["effect"].notna().all()


@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_joint_ablation_begins_with_nothing_and_ends_with_all(model, subjects, joint, kind):
    rows = joint[(joint["kind"] == kind) & (joint["measure"] == "drift")]
    clean = subjects[0].measured(no_head(model), kind)["drift"][0]
    whole = subjects[0].measured(torch.ones_like(no_head(model)), kind)["drift"][0]
    for chosen in ("top", "random"):
        line = rows[rows["chosen"] == chosen].set_index("k")
        assert line.index.tolist() == list(range(7))
        assert line["value"].loc[0] == pytest.approx(clean, abs=1e-12)
        assert line["value"].loc[6] == pytest.approx(whole, abs=1e-12)
    random = rows[rows["chosen"] == "random"].set_index("k")
    assert random.loc[0, "low"] == pytest.approx(random.loc[0, "high"], abs=1e-12)
    assert (random["low"] <= random["high"]).all()
    assert set(random["n"]) == {6}
    assert set(rows[rows["chosen"] == "top_others"]["n"]) == {2}


def test_one_joint_head_is_the_best_single_one(subjects, sweep, joint):
    best = ranking(sweep, "zero")[0]
    rows = joint[(joint["kind"] == "zero") & (joint["chosen"] == "top")]
    one = rows[(rows["k"] == 1) & (rows["measure"] == "drift")].iloc[0]
    assert one["heads"] == f"L{best[0]}H{best[1]}"
    single = sweep[(sweep["kind"] == "zero") & (sweep["measure"] == "drift")]
    clean = subjects[0].measured(no_head(subjects[0].model), "zero")["drift"][0]
    assert one["value"] == pytest.approx(clean - single["of_symbols"].max(), abs=1e-9)


def test_all_sizes_of_sets_are_taken_where_they_are_few():
    assert set_sizes(16, 64) == list(range(17))
    assert set_sizes(16, 17) == list(range(17))
    many = set_sizes(1024, 16)
    assert many[:8] == list(range(8))
    assert (many[-1], len(many)) == (1024, 16)
    assert (np.diff(np.diff(many[7:])) > 0).all()


def test_sets_of_some_sizes_are_those_sets(model, subjects, sweep, joint):
    some = joint_ablation(subjects, sweep, [0, 2, 6], 6, seed=3)
    keys = ["kind", "chosen", "measure", "k"]
    both = some.merge(joint, on=keys, suffixes=("", "_of_all"))
    both = both[both["chosen"] == "top"]
    assert set(both["k"]) == {0, 2, 6}
    np.testing.assert_allclose(both["value"], both["value_of_all"], atol=1e-12)
    assert (both["heads"].fillna("") == both["heads_of_all"].fillna("")).all()
    assert random_sets(model, [0, 2, 6], 5, 0, "zero").flatten(2).sum(-1).tolist() == [
        [k] * 5 for k in (0, 2, 6)
    ]


def test_random_sets_have_k_heads(model):
    drawn = random_sets(model, range(7), 5, 0, "zero")
    assert drawn.flatten(2).sum(-1).tolist() == [[k] * 5 for k in range(7)]
    assert not torch.equal(drawn[3, 0], drawn[3, 1]) or not torch.equal(drawn[3, 0], drawn[3, 2])


def test_without_other_symbols_the_joint_table_has_none(model):
    alone = open_subjects(model, PAIRS[:1], prepend_bos=True)
    found = joint_ablation(alone, sweep_heads(alone, 1e-9, 0), range(7), 2, 0)
    assert set(found["chosen"]) == {"top", "random"}


def test_mean_ablation_of_everything_before_the_end_keeps_only_the_mean(model, subjects):
    """With z of all heads replaced by one mean, only the last token differs between orders."""
    found = subjects[0].logits(every_head(model).any(0)[None], "mean")[0]
    assert len({tuple(np.round(row, 9)) for row in found}) == 2


def test_the_cost_is_what_the_sets_run(model, subjects, sweep):
    masks = torch.stack([set_of(model, heads) for heads in ([], [(0, 0)], [(1, 0)])])
    assert layers_run(masks) == 0 + 2 + 1
    cost = ablation_cost(subjects, sweep, range(7), 4, 0)
    # 20 orders: nothing, 6 heads, 7 top sets; the random sets on the first pair alone
    n_sets = 3 * (1 + 2 * (6 + 7)) + 2 * 7 * 4
    assert cost["patches"] == 20 * n_sets
    assert cost["loop_token_layers"] == 20 * 8 * n_sets * 2
    assert cost["token_layers"] < cost["loop_token_layers"]


def test_orders_are_measured_and_summed_up(model, subjects):
    table = order_table([(1, 2)], 10, np.random.default_rng(0))
    orders, drifts = measure_orders(model, table, PAIRS[:2], prepend_bos=True, seed=0)
    assert len(orders) == 20 + 3 + 20
    expected = hooked_p_x(model, subjects[0], [])
    first = orders[(orders["symbols"] == "X/Y") & (orders["n_x"] == 3)]
    np.testing.assert_allclose(first["p_x"], expected, atol=1e-9)
    row = drifts.iloc[0]
    assert row["drift"] == pytest.approx(np.ptp(expected), abs=1e-9)
    assert row["mae"] == pytest.approx(np.abs(expected - 0.5).mean(), abs=1e-9)
    assert row["noise_floor"] < 1e-9 < row["drift"]
    assert noise_floor_in(drifts) == row["noise_floor"]
    assert (orders["mass"] <= 1).all()
    lopsided = drifts[(drifts["n_x"] == 1) & (drifts["n_y"] == 2)].iloc[0]
    assert (lopsided["orders"], lopsided["predictive"]) == (3, pytest.approx(2 / 5))


def test_agreement_is_over_heads(model, sweep):
    scores, _ = measure_heads(model, draw_sequences(model, 4, 5, prepend_bos=True, seed=0), 0)
    found = agreement(sweep, scores, 0)
    assert len(found) == 2 * 2 * 2 * 2 * 2
    assert set(found.groupby("layers")["heads"].first().items()) == {("all", 6), ("last", 3)}
    whole = found[found["layers"] == "all"]
    assert whole["rho"].between(-1, 1).all()
    assert whole["p"].between(0, 1).all()
    # the score itself agrees perfectly with itself
    own = scores[scores["score"] == "induction"].set_index(["layer", "head"])["mean"]
    heads = sweep["component"].str.removeprefix("head_").astype(int)
    same = [own.loc[key] for key in zip(sweep["layer"], heads, strict=True)]
    perfect = agreement(sweep.assign(effect=same, of_symbols=same), scores, 0)
    held = (perfect["score"] == "induction") & (perfect["layers"] == "all")
    np.testing.assert_allclose(perfect[held]["rho"], 1)
    assert (perfect[held]["p"] < 0.01).all()


def test_published_values_are_those_of_the_reference_model():
    table = published_numbers(REPO.upper())
    assert len(table) == 14
    values = table[table["quantity"] == "p_x"].set_index("of")["value"]
    assert values.to_dict() == {"clumped": 0.058024, "mixed": 0.325434, "patterned": 0.442396}
    assert published_numbers("someone/else").empty
    assert published_numbers(None).empty


def test_published_values_are_checked_on_the_model(model, subjects):
    published = published_numbers(REPO)
    published = published[~published["of"].str.contains("L1H[3-9]|L0H[3-9]")]
    found = check_published(subjects[0], published).set_index(["quantity", "of"])
    expected = hooked_p_x(model, subjects[0], [])
    orders = subjects[0].prompts.orders
    mixed = expected[orders.index("xyyxxy")]
    assert found.loc[("p_x", "mixed"), "found"] == pytest.approx(mixed, abs=1e-9)
    named = [expected[orders.index(order)] for order in NAMED.values()]
    assert found.loc[("drift", ""), "found"] == pytest.approx(np.ptp(named), abs=1e-9)
    assert found.loc[("token_id", "X"), "found"] == subjects[0].prompts.symbol_ids[0]
    assert not found["within"].any()
    true = published.assign(value=found["found"].to_numpy())
    assert check_published(subjects[0], true)["within"].all()


def test_values_of_ablated_heads_are_checked_too(model, subjects):
    rows = pd.DataFrame(
        [("drift_reduction", "L0H1", 0.0, 1.0), ("mae", "L1H2 L0H1", 0.0, 1.0)],
        columns=["quantity", "of", "value", "tolerance"],
    )
    found = check_published(subjects[0], rows)["found"]
    places = [subjects[0].prompts.orders.index(order) for order in NAMED.values()]
    clean, one, two = (
        hooked_p_x(model, subjects[0], heads)[places] for heads in ([], [(0, 1)], [(1, 2), (0, 1)])
    )
    assert found[0] == pytest.approx(np.ptp(clean) - np.ptp(one), abs=1e-9)
    assert found[1] == pytest.approx(np.abs(two - 0.5).mean(), abs=1e-9)


def test_measures_are_all_there(model, subjects):
    assert set(subjects[0].measured(no_head(model), "zero")) == {*MEASURES, "p_x"}
    assert isinstance(subjects[0], Subject)
