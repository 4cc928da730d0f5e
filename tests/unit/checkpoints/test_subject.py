"""Which prompts checkpoints are asked, and their circuits and knockouts against plain hooks."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib import store
from pipeline_lib.checkpoints.subject import (
    Subject,
    answered,
    join_tables,
    knock_out,
    measure_shared,
)
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.interventions import mean_activations
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.stimuli.arithmetic import make_prompts, valid_prompts
from pipeline_lib.stimuli.context import PromptContext
from tests.unit.interventions import naive

EVALUATION = valid_prompts("sub", min_operand=0, max_operand=20, max_number=99)


def match(layer, neuron, name, score=0.9):
    return {"layer": layer, "neuron": neuron, "heuristic": name, "score": score}


MATCHES = pd.DataFrame([
    match(1, 3, "op1_range_0_10"), match(1, 4, "op1_range_10_20", 0.8), match(2, 5, "op2_mod_2_0"),
    match(2, 6, "op1_range_0_10"), match(2, 6, "op2_mod_2_1"),
])  # fmt: skip
FINAL = pd.DataFrame([match(1, 3, "op1_range_0_10"), match(2, 6, "op1_range_10_20")])
HEADS = [Head(0, 1), Head(2, 2)]
NEURONS = pd.DataFrame({"layer": [1, 1, 1, 2, 2, 2], "neuron": [3, 4, 9, 5, 6, 11]})


def subject(correct=EVALUATION, checkpoint="step5"):
    return Subject(
        checkpoint, "sub", MATCHES, FINAL, NEURONS, HEADS, EVALUATION, correct[["a", "b"]]
    )


@pytest.fixture(scope="module")
def context(number_tokens):
    return PromptContext(number_tokens, {"sub": EVALUATION.iloc[:0]})


def as_pairs(prompts):
    return [tuple(pair) for pair in prompts[["a", "b"]].to_numpy()]


def test_checkpoints_are_asked_the_same_prompts_as_far_as_they_answer_them():
    half = EVALUATION[EVALUATION["b"] % 2 == 0]
    first = as_pairs(subject().prompts(1000, seed=1))
    assert sorted(first) == as_pairs(EVALUATION)
    assert first != as_pairs(EVALUATION)
    assert as_pairs(subject(half).prompts(1000, seed=1)) == [p for p in first if p[1] % 2 == 0]
    assert as_pairs(subject().prompts(7, seed=1)) == first[:7]
    assert as_pairs(subject(checkpoint="step9").prompts(7, seed=1)) == first[:7]
    assert as_pairs(subject().prompts(1000, seed=2)) != first


def test_a_checkpoint_that_does_no_better_than_a_constant_has_no_prompts():
    """20 of the prompts have the answer 0, the most common one."""
    right = np.arange(len(EVALUATION)) * 11 % len(EVALUATION)
    for n_right, n_left in ((20, 0), (21, 21)):
        label = np.where(right < n_right, "correct", "not_a_number")
        found = answered(EVALUATION.assign(label=label))
        assert len(found) == n_left
    assert as_pairs(found) == as_pairs(EVALUATION[label == "correct"])
    assert len(answered(EVALUATION.iloc[:0].assign(label=""))) == 0


def test_prompts_whose_answer_is_zero_can_be_left_out():
    kept = subject().prompts(1000, seed=1, zero_answers=False)
    assert len(kept) == len(EVALUATION) - 20
    assert (kept["answer"] > 0).all()


def test_circuits_against_plain_hooks(llama_model, context):
    means = mean_activations(llama_model, context.encode(EVALUATION))
    prompts = subject().prompts(4, seed=1)
    table = measure_shared(
        subject(), llama_model, context, means, prompts, first_late_layer=1, seed=3
    )
    assert set(table["checkpoint"]) == {"step5"}
    sizes = table.groupby("curve")["size"].unique().map(list).to_dict()
    assert sizes == {"all": [4], "shared": [1], "random": [1]}
    tokens, answers = context.asked(prompts)

    def nl(heads, neurons):
        edits = []
        for layer, (attention, mlp) in enumerate(naive.projections(llama_model)):
            kept = (heads[layer].repeat_interleave(llama_model.d_head), neurons[layer])
            filled = (means.z[0, :, layer].flatten(1), means.mlp_post[0, :, layer])
            for module, keep, fill in zip((attention, mlp), kept, filled, strict=True):
                edits.append((module, lambda x, k=keep, f=fill: torch.where(k, x, f)))
        logits = naive.run(llama_model, tokens, edits).double()
        logits -= logits.mean(1, keepdim=True)
        return (logits[range(len(tokens)), answers] / logits.max(1).values).numpy()

    def circuit(late):
        heads = torch.zeros(llama_model.n_layers, llama_model.n_heads, dtype=torch.bool)
        heads[0, 1] = heads[2, 2] = True
        neurons = torch.zeros(llama_model.n_layers, llama_model.d_mlp, dtype=torch.bool)
        neurons[0] = True
        for layer, neuron in late:
            neurons[layer, neuron] = True
        return nl(heads, neurons)

    found = {name: rows["nl"].to_numpy() for name, rows in table.groupby("curve")}
    every = circuit([(1, 3), (1, 4), (2, 5), (2, 6)])
    np.testing.assert_allclose(found["all"], every, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["shared"], circuit([(1, 3)]), rtol=1e-4, atol=1e-5)
    assert any(
        np.allclose(found["random"], circuit([(1, n)]), rtol=1e-4, atol=1e-5) for n in (3, 4)
    )


def test_knockouts_are_of_the_checkpoints_own_neurons(llama_model, context):
    prompts = pd.concat(
        [make_prompts("sub", np.array([a]), np.array([b])) for a, b in [(4, 1), (15, 4), (15, 3)]]
    ).reset_index(drop=True)
    seen = []

    def is_correct(asked, sets):
        seen.extend(zip(as_pairs(asked), map(tuple, map(np.ravel, sets)), strict=True))
        real = ablated_correctness(llama_model, context.encode, context.answer_ids, positions="all")
        return real(asked, sets)

    table = knock_out(subject(), is_correct, prompts, per_layer=[1, 5], rank="score", seed=3)
    assert list(table.columns[:3]) == ["checkpoint", "operator", "a"]
    assert sorted(table["limit"].unique()) == [0, 1, 5]
    keys = table[["a", "b", "condition", "limit"]].itertuples(index=False, name=None)
    silenced = {key: chosen for key, (_, chosen) in zip(keys, seen, strict=True)}
    assert silenced[4, 1, "heuristic", 0] == ()
    assert silenced[4, 1, "heuristic", 5] == (1, 3, 2, 6)
    assert silenced[15, 4, "heuristic", 5] == (2, 5, 1, 4)
    assert silenced[15, 3, "heuristic", 5] == (2, 6, 1, 4)
    for (a, b, condition, limit), chosen in silenced.items():
        own = silenced[a, b, "heuristic", limit]
        if condition == "control":
            assert sorted(chosen[::2]) == sorted(own[::2])
            assert not set(zip(chosen[::2], chosen[1::2], strict=True)) & set(
                zip(own[::2], own[1::2], strict=True)
            )


def test_nothing_answered_right(llama_model, context):
    nothing = subject(EVALUATION.iloc[:0])
    prompts = nothing.prompts(5, seed=1)
    assert len(prompts) == 0
    means = mean_activations(llama_model, context.encode(EVALUATION))
    table = measure_shared(
        nothing, llama_model, context, means, prompts, first_late_layer=1, seed=3
    )
    knocked = knock_out(
        nothing, lambda *_: np.zeros(0, bool), prompts, per_layer=[5], rank="score", seed=3
    )
    assert len(table) == len(knocked) == 0
    assert {"checkpoint", "operator", "curve", "faithfulness"} <= set(table.columns)
    assert {"checkpoint", "operator", "condition", "limit", "correct"} <= set(knocked.columns)
    assert len(join_tables([table, table])) == 0


def test_the_tables_of_one_checkpoint_and_operator_are_read(tmp_path):
    def write(name, table):
        store.write_table(tmp_path / name, table)
        return str(tmp_path / name)

    other = MATCHES.assign(neuron=0)
    every = pd.concat([
        MATCHES.assign(checkpoint="step5", operator="sub"),
        other.assign(checkpoint="step9", operator="sub"),
        other.assign(checkpoint="step5", operator="add"),
    ])  # fmt: skip
    final = pd.concat([FINAL.assign(kind="hybrid"), MATCHES.assign(kind="K")])
    even = np.where(EVALUATION["b"] % 2 == 0, "correct", "incorrect")
    labelled = EVALUATION.assign(label=even)
    files = {
        "final": write("final.csv", final), "neurons": write("neurons.csv", NEURONS),
        "circuits": write("circuit.csv", pd.DataFrame({"rank": [1], "head": ["L0H1"]})),
        "evaluation": write("evaluation.csv", EVALUATION),
        "labelled": write("labelled.csv", labelled),
    }  # fmt: skip
    matches = [write("matches.csv", every)]
    found = Subject.read("step5", "sub", "hybrid", matches=matches, **files)
    assert found.matches.equals(MATCHES)
    assert found.final.drop(columns="kind").equals(FINAL)
    assert found.heads == [Head(0, 1)]
    assert (found.prompts(1000, seed=1)["b"] % 2 == 0).all()
    assert len(found.prompts(1000, seed=1)) == 110
    itself = Subject.read("final", "sub", "hybrid", matches=[], **files)
    assert itself.matches.equals(itself.final)


def test_names_are_those_of_heuristics():
    assert all(Heuristic.from_name(name) for name in MATCHES["heuristic"])
