"""Circuits of the tiny models against plain hooks, and identities of their faithfulness."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.circuits.curves import Curve
from pipeline_lib.circuits.faithfulness import (
    draw_prompts,
    measure_circuits,
    tabulate_curves,
)
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.circuits.sizes import LOGIT_BYTES
from pipeline_lib.circuits.study import (
    Ranking,
    choose_heads,
    circuit_table,
    fewest,
    fewest_heads,
    head_curve,
    ranked_heads,
    study_curves,
)
from pipeline_lib.interventions import mean_activations
from tests.unit.interventions import naive


@pytest.fixture(scope="session")
def asked(number_tokens, prompt_pairs):
    """Prompts, their tokens and answer tokens, and other tokens for the means."""
    clean, other = prompt_pairs
    answers = torch.from_numpy(number_tokens.number_ids[clean["answer"].to_numpy()])
    return clean, number_tokens.encode(clean), answers, number_tokens.encode(other)


def random_curve(model, n_circuits=4):
    """Random circuits, then the empty one and the whole model."""
    generator = torch.Generator().manual_seed(1)
    heads = torch.rand(n_circuits, model.n_layers, model.n_heads, generator=generator) < 0.6
    neurons = torch.rand(n_circuits, model.n_layers, model.d_mlp, generator=generator) < 0.6
    heads, neurons = (
        torch.cat([x, torch.zeros_like(x[:1]), torch.ones_like(x[:1])]) for x in (heads, neurons)
    )
    return Curve("random", np.arange(len(heads)), heads, neurons)


def by_hand(model, tokens, heads, neurons, means):
    """Logits of one circuit by plain hooks that replace all it does not keep."""
    edits = []
    for layer, (attention, mlp) in enumerate(naive.projections(model)):
        kept = (heads[layer].repeat_interleave(model.d_head), neurons[layer])
        filled = (means.z[0, :, layer].flatten(1), means.mlp_post[0, :, layer])
        for module, keep, fill in zip((attention, mlp), kept, filled, strict=True):
            edits.append((module, lambda x, k=keep, f=fill: torch.where(k, x, f)))
    return naive.run(model, tokens, edits).double()


def test_measures_against_plain_hooks(exact_model, asked):
    _, tokens, answers, other = asked
    means = mean_activations(exact_model, other)
    curve = random_curve(exact_model)
    found = measure_circuits(exact_model, tokens, answers, [curve], means)
    runs = [
        by_hand(exact_model, tokens, heads, neurons, means)
        for heads, neurons in zip(curve.heads, curve.neurons, strict=True)
    ]
    nl = []
    for logits in runs:
        centred = logits - logits.mean(1, keepdim=True)
        rows = torch.arange(len(tokens))
        nl.append((centred[rows, answers] / centred.max(1).values).numpy())
    nl = np.array(nl)
    limit = naive.rounding(exact_model, 1e-9)
    np.testing.assert_allclose(found.nl, nl, atol=limit, rtol=limit)
    expected = (nl - nl[4]) / (nl[5] - nl[4])
    np.testing.assert_allclose(found.faithfulness, expected, atol=100 * limit, rtol=100 * limit)
    model_log = runs[5].log_softmax(1)
    for circuit, logits in enumerate(runs):
        kl = torch.nn.functional.kl_div(
            logits.log_softmax(1), model_log, reduction="none", log_target=True
        ).sum(1)
        np.testing.assert_allclose(found.kl[circuit], kl.numpy(), atol=limit, rtol=limit)
        assert np.array_equal(found.correct[circuit], (logits.argmax(1) == answers).numpy())
    assert np.ptp(found.nl[:4]) > 0.1


def test_the_whole_model_has_one_and_nothing_has_zero_exactly(tiny_model, asked):
    _, tokens, answers, other = asked
    means = mean_activations(tiny_model, other)
    found = measure_circuits(tiny_model, tokens, answers, [random_curve(tiny_model)], means)
    assert np.array_equal(found.faithfulness[4], np.zeros(len(tokens)))
    assert np.array_equal(found.faithfulness[5], np.ones(len(tokens)))
    assert np.array_equal(found.kl[5], np.zeros(len(tokens)))
    assert found.kl[:5].min() > 1e-6


@pytest.mark.parametrize("logits_at_once", [1, 2, 3, 13, 1000])
def test_parts_do_not_change_results(exact_model, asked, logits_at_once):
    _, tokens, answers, other = asked
    means = mean_activations(exact_model, other)
    curves = [random_curve(exact_model), random_curve(exact_model, 2)]
    whole = measure_circuits(exact_model, tokens, answers, curves, means)
    budget = logits_at_once * LOGIT_BYTES * exact_model.d_vocab
    parts = measure_circuits(exact_model, tokens, answers, curves, means, budget=budget)
    limit = naive.rounding(exact_model, 1e-9)
    for name in ("nl", "kl", "nl_none", "nl_model", "faithfulness"):
        found, expected = getattr(parts, name), getattr(whole, name)
        np.testing.assert_allclose(found, expected, atol=1000 * limit, rtol=1000 * limit)
    assert np.array_equal(parts.correct, whole.correct)


def test_equal_circuits_run_once(llama_model, asked, monkeypatch):
    _, tokens, answers, other = asked
    means = mean_activations(llama_model, other)
    curve = random_curve(llama_model, 2)
    seen = []
    from pipeline_lib.circuits import faithfulness as room

    run = room.ablate_circuits

    def counted(*args, **kwargs):
        seen.append(len(kwargs["heads"]))
        return run(*args, **kwargs)

    monkeypatch.setattr(room, "ablate_circuits", counted)
    found = measure_circuits(llama_model, tokens, answers, [curve, curve], means)
    assert seen == [4]  # two random ones, nothing and the whole model
    assert np.array_equal(found.nl[:4], found.nl[4:])


def test_table_has_a_row_for_every_circuit_and_prompt(llama_model, asked):
    prompts, tokens, answers, other = asked
    means = mean_activations(llama_model, other)
    curves = [random_curve(llama_model), random_curve(llama_model, 1)]
    found = measure_circuits(llama_model, tokens, answers, curves, means)
    table = tabulate_curves(prompts.assign(seed=3), curves, found)
    assert len(table) == (6 + 3) * 7
    assert not table.duplicated(["curve", "size", "operator", "a", "b"], keep=False).all()
    row = table.iloc[2 * 7 + 5]
    assert (row["size"], row["a"], row["b"], row["seed"]) == (2, 60, 3, 3)
    assert row["nl"] == found.nl[2, 5]
    assert row["nl_none"] == found.nl_none[5]
    assert row["nl_model"] == found.nl_model[5]
    assert row["faithfulness"] == found.faithfulness[2, 5]
    assert row["correct"] == found.correct[2, 5]


def test_no_prompts(llama_model, asked):
    prompts, tokens, answers, other = asked
    means = mean_activations(llama_model, other)
    curve = random_curve(llama_model)
    found = measure_circuits(llama_model, tokens[:0], answers[:0], [curve], means)
    assert found.faithfulness.shape == (6, 0)
    table = tabulate_curves(prompts.iloc[:0].assign(seed=3), [curve], found)
    assert len(table) == 0
    assert {"seed", "curve", "size", "a", "faithfulness", "kl"} <= set(table.columns)
    ranked = [Head(0, 0)]
    none = fewest_heads(
        llama_model, tokens[:0], answers[:0], ranked, means, max_heads=5, target=0.9
    )
    assert none == []


def test_zero_answers_can_be_left_out():
    answers = np.arange(6) % 3
    pool = pd.DataFrame({"operator": "sub", "a": answers + 7, "b": 7, "answer": answers})
    kept = draw_prompts(pool, "sub", n_prompts=50, seeds=[1, 2], zero_answers=False)
    assert (kept["answer"] > 0).all()
    assert kept["seed"].tolist() == [1] * 4 + [2] * 4
    every = draw_prompts(pool, "sub", n_prompts=3, seeds=[1], zero_answers=True)
    assert len(every) == 3
    assert len(draw_prompts(pool, "sub", n_prompts=50, seeds=[1], zero_answers=True)) == 6
    assert len(draw_prompts(pool.iloc[:0], "sub", n_prompts=5, seeds=[1], zero_answers=True)) == 0


def test_heads_are_ranked_by_their_mean_over_prompts_seeds_and_positions():
    seeds = np.zeros((2, 3, 4, 2, 2))
    seeds[0, :, 1, 1, 0] = 4.0  # mean .5
    seeds[:, 0, 2, 0, 1] = 3.0  # mean .25
    seeds[1, 1, 0, 0, 0] = np.inf  # left out
    assert ranked_heads(list(seeds)) == [Head(1, 0), Head(0, 1), Head(0, 0), Head(1, 1)]
    assert len(ranked_heads([np.zeros((0, 4, 2, 2))])) == 4


def test_fewest_is_the_first_to_reach_the_target():
    sizes = np.array([0, 1, 2, 3])
    assert fewest(sizes, np.array([0.1, 0.9, 0.5, 1.0]), 0.9) == 1
    assert fewest(sizes, np.array([0.1, 0.3, 0.5, 0.4]), 0.9) == 2
    assert fewest(sizes, np.array([np.nan, 0.3, np.nan, 0.4]), 0.35) == 3
    assert fewest(sizes, np.full(4, np.nan), 0.9) == 0


def test_fewest_heads_reach_the_target_and_one_less_does_not(llama_model, asked):
    _, tokens, answers, other = asked
    means = mean_activations(llama_model, other)
    ranked = [Head(layer, head) for head in range(4) for layer in range(3)]
    chosen = fewest_heads(llama_model, tokens, answers, ranked, means, max_heads=12, target=0.8)
    assert chosen == ranked[: len(chosen)]

    def mean_of(n_heads):
        heads = torch.zeros(1, 3, 4, dtype=torch.bool)
        for head in ranked[:n_heads]:
            heads[0, head.layer, head.head] = True
        kept = torch.ones(1, 3, llama_model.d_mlp, dtype=torch.bool)
        curve = Curve("x", np.array([n_heads]), heads, kept)
        return measure_circuits(llama_model, tokens, answers, [curve], means).faithfulness.mean()

    assert mean_of(len(chosen)) >= 0.8
    assert all(mean_of(n) < 0.8 for n in range(len(chosen)))


def test_curves_of_the_study(llama_model):
    importance = np.random.default_rng(0).normal(size=(3, llama_model.d_mlp))
    ranking = Ranking([Head(0, 1), Head(2, 3), Head(1, 1)], importance, importance[0])
    curves = study_curves(
        llama_model, ranking, [Head(2, 3)], max_heads=2, n_points=5, first_late_layer=1,
        late_share=0.1,
    )  # fmt: skip
    named = {curve.name: curve for curve in curves}
    assert list(named) == ["heads", "circuit", "neurons", "mlp0"]
    assert named["heads"].sizes.tolist() == [0, 1, 2]
    assert named["circuit"].sizes.tolist() == [1]
    assert named["circuit"].heads[0].nonzero().tolist() == [[2, 3]]
    # with all neurons of the late layers it is the circuit itself
    assert torch.equal(named["neurons"].neurons[-1:], named["circuit"].neurons)
    assert torch.equal(named["neurons"].heads[-1:], named["circuit"].heads)
    # with the whole first MLP it is the circuit with 10 % of the late layers' neurons
    size = int(np.ceil(0.1 * llama_model.d_mlp))
    assert named["mlp0"].neurons[-1].sum(1).tolist() == [llama_model.d_mlp, size, size]
    for curve in curves:
        assert len(curve) == len(curve.heads) == len(curve.neurons)


@pytest.mark.parametrize(
    ("heads", "n_heads", "names", "source"),
    [
        (["L2H3"], "auto", ["L2H3"], "config"),
        (None, 2, ["L0H0", "L1H0"], "ranked"),
        (None, None, [], "ranked"),
        (None, "auto", ["L0H0", "L1H0", "L2H0"], "auto"),
    ],
)
def test_heads_are_named_ranked_or_found(llama_model, asked, heads, n_heads, names, source):
    _, tokens, answers, other = asked
    ranked = [Head(layer, head) for head in range(4) for layer in range(3)]
    # a target out of reach: the most faithful of 0 to 3 heads
    chosen, found = choose_heads(
        llama_model, tokens, answers, ranked, mean_activations(llama_model, other),
        heads=heads, n_heads=n_heads, max_heads=3, target=9.0,
    )  # fmt: skip
    assert found == source
    table = circuit_table(chosen, found)
    assert table["rank"].tolist() == list(range(1, len(chosen) + 1))
    if n_heads == "auto" and heads is None:
        names = names[: len(chosen)]
        curve = head_curve(llama_model, ranked, 3)
        means = mean_activations(llama_model, other)
        mean = measure_circuits(llama_model, tokens, answers, [curve], means).faithfulness.mean(1)
        assert len(chosen) == int(np.argmax(mean))
    assert table["head"].tolist() == names
    assert set(table["source"]) <= {source}
