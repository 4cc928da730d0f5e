"""What the engine and the stages built on it take up after they died: nothing that was done twice.

Each stage dies after its first few steps; its second attempt must give what an attempt that was
left alone gives, to the last bit, and must not do those steps again.
"""

import numpy as np
import pytest
import torch

from pipeline_lib.circuits.curves import Curve
from pipeline_lib.circuits.faithfulness import measure_circuits
from pipeline_lib.interventions import (
    Patches,
    capture,
    mean_activations,
    patch_candidates,
    patch_components,
    patch_neurons,
)
from pipeline_lib.interventions.capture import iter_reduced, predict_tokens
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.pieces import resumable
from tests.conftest import prompt_table
from tests.unit.conftest import DiedError


def components(model, pairs):
    source = capture(model, pairs.other)
    ids = pairs.answers, pairs.other_answers
    found = patch_components(model, pairs.tokens, source, *ids, batch_size=20)
    return [found.patched_r, found.patched_cf, found.clean_r]


def neurons(model, pairs):
    source = capture(model, pairs.other)
    layers, chosen = torch.tensor([0, 1, 2, 2]), torch.tensor([3, 1, 4, 1])
    ids = pairs.answers, pairs.other_answers
    found = patch_neurons(model, pairs.tokens, source, *ids, layers, chosen, batch_size=5)
    return [found.patched_r, found.patched_cf]


def candidates(model, pairs):
    source = capture(model, pairs.other)
    prompt = torch.arange(len(pairs.tokens)).repeat_interleave(6)
    rows = torch.arange(len(prompt))
    patches = Patches(prompt, rows % 5, rows % 3, rows % model.n_heads)
    ids = torch.stack([pairs.answers, pairs.other_answers], 1)
    found = patch_candidates(model, pairs.tokens, source, patches, ids, batch_size=4)
    return [found[1].numpy()]


def predictions(model, pairs):
    return [predict_tokens(model, pairs.tokens, batch_size=2).numpy()]


def means(model, pairs):
    found = mean_activations(model, pairs.tokens, batch_size=2)
    return [found.z.numpy(), found.mlp_post.numpy()]


def reduced(model, pairs):
    parts = iter_reduced(model, pairs.tokens, lambda run: (run.logits.argmax(-1),), batch_size=2)
    return [np.concatenate([found.numpy() for _, (found,) in parts])]


def knockouts(model, pairs):
    clean = [("add", a, b) for a, b in ((12, 34), (5, 5), (60, 3), (1, 2), (9, 9))]
    table = prompt_table(clean)
    sets = [np.array([[layer, 2 * layer + 1]]) for layer in (0, 1, 2, 1, 0)]
    options = {"positions": "all", "batch_rows": 2}
    ids = np.arange(100)
    is_correct = ablated_correctness(model, lambda t: pairs.tokens[: len(t)], ids, **options)
    return [is_correct(table, sets), is_correct(table, sets[::-1])]


def circuits(model, pairs):
    masks = torch.zeros(2, model.n_layers, model.n_heads, dtype=torch.bool)
    masks[1, 0] = True
    every = torch.ones(2, model.n_layers, model.d_mlp, dtype=torch.bool)
    curves = [Curve("heads", np.arange(2), masks, every)]
    average = mean_activations(model, pairs.tokens)
    found = measure_circuits(model, pairs.tokens, pairs.answers, curves, average, budget=1)
    return [found.nl, found.kl, found.correct, found.nl_none]


STAGES = [components, neurons, candidates, predictions, means, reduced, knockouts, circuits]


@pytest.mark.parametrize("work", STAGES, ids=lambda work: work.__name__)
@pytest.mark.parametrize("steps", [1, 3])
def test_a_second_attempt_goes_on_where_the_first_died(
    llama_model, pairs, two_attempts, work, steps
):
    expected = work(llama_model, pairs)
    # sums of means are kept in place of earlier ones
    found = two_attempts(lambda: work(llama_model, pairs), steps, replaced=work is means)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nodes_that_were_added_up_do_not_run_again(stage, llama_model, pairs, monkeypatch):
    """Of means over a prefix tree, whose sums take each other's place."""
    ran = []
    forward = llama_model.hf.base_model.forward

    def counted(*args, **options):
        ran.append(options["input_ids"].shape[0])
        return forward(*args, **options)

    monkeypatch.setattr(llama_model.hf.base_model, "forward", counted)
    whole = mean_activations(llama_model, pairs.tokens, batch_size=2)
    n_whole = len(ran)

    def die_at_the_end():
        with resumable(stage):
            mean_activations(llama_model, pairs.tokens, batch_size=2)
            raise DiedError

    with pytest.raises(DiedError):
        die_at_the_end()
    ran.clear()
    with resumable(stage):
        again = mean_activations(llama_model, pairs.tokens, batch_size=2)
    assert 0 < len(ran) < n_whole
    torch.testing.assert_close(again.z, whole.z, atol=0, rtol=0)
