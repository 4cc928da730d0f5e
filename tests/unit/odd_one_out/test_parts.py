import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import PromptError
from pipeline_lib.interventions import capture, patch_candidates, patch_residuals
from pipeline_lib.interventions.patches import Patches
from pipeline_lib.odd_one_out.critical import Critical
from pipeline_lib.odd_one_out.neurons import aurocs, neuron_tables
from pipeline_lib.odd_one_out.paths import (
    PathSettings,
    hydra_check,
    random_sets,
    retrieval_heads,
    run_paths,
)
from pipeline_lib.odd_one_out.subspace import (
    SubspaceSettings,
    chosen_rank,
    named_in,
    patched,
    probe_texts,
    run_subspaces,
)
from pipeline_lib.probing.ridge import cross_validated, fit_ridge
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.odd_one_out import Formats

CRITICAL = Critical([1], 1, [(1, 2)], 1)


@pytest.fixture(scope="module")
def rng():
    return generator(0, "tests")


def test_nothing_below_the_slice_changes_by_its_ablation(odd_model, pairs, rng):
    table = hydra_check(odd_model, pairs.take(np.arange(4)), CRITICAL, rng)
    below, above = table[table["layer"] == 0], table[table["layer"] == 2]
    assert below["effect"].abs().max() < 1e-6
    assert above["effect"].abs().max() > 1e-4
    assert table.loc[table["is_slice"], "layer"].unique().tolist() == [1]
    assert table["q"].notna().equals(table["layer"] > 1)


def test_paths_and_retrieval_heads(odd_model, measured):
    settings = PathSettings(pairs=3, probes=3, retrieval_heads=2, draws=2)
    found = run_paths(odd_model, measured.pairs, measured.choice, CRITICAL, settings)
    receivers = {"swapped > L1 H2", "query > L1 MLP"}
    assert set(found.paths["position"]) == receivers
    assert len(found.paths) == 2 * odd_model.n_heads
    heads = retrieval_heads(found.retrieval, CRITICAL, 2)
    assert len(heads) == 2
    assert all(layer == 0 for layer, _, _ in heads)
    own = found.ablation[found.ablation["draw"] == -1]
    assert set(own["heads"]) == {"retrieval"}
    assert set(found.ablation["draw"]) == {-1, 0, 1}
    single = found.paths[found.paths["position"] == "query > L1 MLP"].set_index("component")
    at_query = [h for h in heads if h[2] == "query"]
    if len(at_query) == 1:
        joint = own[own["position"] == "query"]["effect"].iloc[0]
        assert joint == pytest.approx(single.loc[f"H{at_query[0][1]}", "effect"], abs=1e-4)


def test_paths_go_on_where_an_attempt_died(odd_model, measured, two_attempts):
    settings = PathSettings(pairs=3, probes=3, retrieval_heads=2, draws=2)

    def work():
        return run_paths(odd_model, measured.pairs, measured.choice, CRITICAL, settings)

    found, expected = two_attempts(work, 2), work()
    for name in ("paths", "retrieval", "ablation"):
        one, other = getattr(found, name), getattr(expected, name)
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_random_heads_are_others_of_the_same_layers(rng):
    heads = [(0, 1, "query"), (3, 2, "swapped")]
    for chosen in random_sets(heads, CRITICAL, 4, 5, rng):
        assert [(layer, place) for layer, _, place in chosen] == [(0, "query"), (3, "swapped")]
        assert not set(chosen) & set(heads)


def test_a_residual_patched_as_a_vector_is_the_same_patch(llama_model, pairs_of_numbers):
    tokens, other, ids = pairs_of_numbers
    run = capture(llama_model, other, ("resid_post",), layers=[1], positions=[4])
    values = run.site("resid_post")[:, 0, 0]
    clean = capture(llama_model, tokens, ("resid_post",), layers=[1], positions=[4])
    both = torch.stack([values, clean.site("resid_post")[:, 0, 0]])
    found = patch_residuals(llama_model, tokens, 1, 4, both, ids)
    n = torch.arange(len(tokens))
    full = [torch.full_like(n, x) for x in (4, 1, llama_model.n_heads + 1)]
    before, after = patch_candidates(llama_model, tokens, run, Patches(n, *full), ids)
    torch.testing.assert_close(found[0], after, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[1], before, atol=1e-5, rtol=1e-5)


@pytest.fixture
def pairs_of_numbers(number_tokens, prompt_pairs):
    clean, other = (number_tokens.encode(table) for table in prompt_pairs)
    return clean, other, clean[:, 1:3].clone()


def test_a_probe_finds_a_planted_class_and_its_directions(rng):
    labels = np.arange(120) % 4
    basis = np.linalg.qr(rng.normal(size=(20, 3)))[0]
    centres = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3], [-3, -3, -3.0]])
    states = centres[labels] @ basis.T + 0.1 * rng.normal(size=(120, 20))
    folds = np.arange(120) // 4 % 3
    right = cross_validated(states, labels, folds, [1, 3], ridge=0.01)
    assert right[1].mean() == 1
    assert right[0].mean() < 0.9
    shuffled = cross_validated(states, labels, folds, [3], ridge=0.01, shuffled=rng)
    assert shuffled.mean() < 0.6
    probe = fit_ridge(states, labels, 4, 1.0)
    assert probe.rank == 3
    inside = np.linalg.norm(basis.T @ probe.directions[:, :3])
    assert inside == pytest.approx(np.sqrt(3), abs=0.02)


def test_ridge_is_the_textbooks(rng):
    states, labels = rng.normal(size=(30, 5)), np.arange(30) % 2
    probe = fit_ridge(states, labels, 2, 0.5)
    x, y = states - states.mean(0), np.eye(2)[labels] - 0.5
    penalty = 0.5 * np.trace(x.T @ x) / 5
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(5), x.T @ y)
    found = probe.directions * probe.sizes @ probe.outputs.T
    np.testing.assert_allclose(found, weight, atol=1e-9)


def test_the_smallest_rank_as_good_as_the_best_is_chosen():
    assert chosen_rank([1, 2, 3], np.array([0.4, 0.78, 0.8]), 100) == 2
    assert chosen_rank([1, 2, 3], np.array([0.4, 0.5, 0.8]), 10_000) == 3


def test_a_subspace_and_its_complement_add_up_to_the_whole(rng):
    base, source = torch.zeros(2, 6).double(), torch.ones(2, 6).double()
    basis = np.linalg.qr(rng.normal(size=(6, 2)))[0]
    parts = [patched(base, source, name, basis) for name in ("probe", "complement")]
    torch.testing.assert_close(parts[0] + parts[1], source)
    assert torch.equal(patched(base, source, "whole", None), source)


def test_nobody_of_the_patched_pairs_nor_of_another_fold_is_in_a_prompt(people, pairs, rng):
    settings = SubspaceSettings(prompts=40, folds=2)
    without = named_in(pairs)
    texts = probe_texts(people, without, "common_attribute", Formats(), settings, rng)
    assert len(texts) == 40
    named = [{r["swapped"], r["kept"]} for r in texts[["swapped", "kept"]].to_dict("records")]
    assert not without & set.union(*named)
    of_fold = [set.union(*(n for n, f in zip(named, texts["fold"], strict=True) if f == fold))
               for fold in (0, 1)]  # fmt: skip
    assert not of_fold[0] & of_fold[1]
    with pytest.raises(PromptError, match=r"Too few people[\s\S]*folds"):
        probe_texts(people.head(8), set(), "one_name", Formats(), settings, rng)


def test_subspaces_and_neurons_have_their_tables(odd_model, measured, people):
    settings = SubspaceSettings(prompts=40, folds=2, ranks=(1, 2), pairs=3, draws=2, neurons=4)
    found = run_subspaces(
        odd_model, measured.pairs, people, Formats(), measured.choice, CRITICAL, settings
    )
    assert set(found.probe["variant"]) == {"probe", "shuffled labels"}
    assert found.probe["is_chosen"].sum() == 1
    assert set(found.patches["subspace"]) == {"whole", "probe", "complement", "random"}
    assert len(found.neurons) == 4
    assert set(found.neuron_classes["neuron"]) == set(found.neurons["neuron"])


def test_attribution_is_the_slope_of_the_exact_effect(odd_model, pairs, rng):
    """Where the corrupt run's activations are near the clean ones, both are the same."""
    few = pairs.take(np.arange(4))
    acts = rng.normal(size=(30, odd_model.d_mlp))
    table, _ = neuron_tables(odd_model, few, 2, acts, np.arange(30) % 3, list("abc"), n=30, rng=rng)
    exact, estimate = table["exact"].to_numpy(), table["effect"].to_numpy()
    assert np.corrcoef(estimate, exact)[0, 1] > 0.8
    assert estimate @ exact / (estimate @ estimate) == pytest.approx(1, abs=0.3)


def test_aurocs_by_hand():
    values = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0]])
    found = aurocs(values, np.array([0, 0, 1, 1]), 3)
    np.testing.assert_allclose(found, [[1, 1, 0.5], [1, 1, 0.5]])
    found = aurocs(values, np.array([0, 1, 1, 0]), 2)
    np.testing.assert_allclose(found, 0.5)
