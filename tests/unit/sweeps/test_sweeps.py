import numpy as np
import pytest
import torch

from pipeline_lib.interventions import Patches, candidate_logits, capture, patch_candidates
from pipeline_lib.rng import generator
from pipeline_lib.sweeps import (
    COLUMNS,
    Grid,
    noise_floor,
    recovery,
    replaced,
    sweep,
    sweep_cost,
    tabulate,
)


@pytest.fixture(scope="module")
def candidates(pairs):
    return torch.stack([pairs.answers, pairs.other_answers], 1)


def test_a_grid_lists_every_cell_that_exists_once():
    grid = Grid.of([[[1], [2, 3]], [[1], []]], layers=[0, 2], components=[4, 5])
    patches = grid.patches()
    assert grid.shape == (2, 2, 2, 2)
    assert len(patches) == (2 + 1) * 4
    assert patches.prompt.tolist() == [0] * 8 + [1] * 4
    assert patches.layer.tolist() == [0, 0, 2, 2] * 3
    assert patches.component.tolist() == [4, 5] * 6
    assert patches.position[0].tolist() == [1, 1]
    assert patches.position[4].tolist() == [2, 3]


def test_a_sweep_puts_every_patch_into_its_cell(llama_model, pairs, candidates):
    source = capture(llama_model, pairs.other, ("z", "mlp_post"))
    places = [[[1], [3, 4]]] * 6 + [[[2], []]]
    grid = Grid.of(places, layers=[0, 1], components=[0, llama_model.n_heads])
    found = sweep(llama_model, pairs.tokens, source, grid, candidates)
    assert found.after.shape == (7, 2, 2, 2, 2)
    assert np.isnan(found.after[6, 1]).all()
    assert np.isfinite(found.after[:6]).all()
    alone = Patches(*(torch.tensor([n]) for n in (6, 2, 1, llama_model.n_heads)))
    _, expected = patch_candidates(llama_model, pairs.tokens, source, alone, candidates)
    np.testing.assert_allclose(found.after[6, 0, 1, 1], expected[0], atol=1e-5)
    clean = candidate_logits(llama_model, pairs.tokens, candidates)
    np.testing.assert_allclose(found.before, clean, atol=1e-5)


def test_replacements_keep_shape_and_coordinates(llama_model, pairs):
    run = capture(llama_model, pairs.tokens, ("z", "resid_post"), positions=[2, 4])
    zero, mean = replaced(run, "zero"), replaced(run, "mean")
    other = replaced(run, "resample", torch.Generator().manual_seed(0))
    assert not zero.site("z").any()
    torch.testing.assert_close(mean.site("z")[3], run.site("z").mean(0))
    assert other.positions == run.positions
    moved = [
        next(j for j in range(7) if torch.equal(other.site("z")[i], run.site("z")[j]))
        for i in range(7)
    ]
    assert sorted(moved) == list(range(7))
    assert all(i != j for i, j in enumerate(moved))
    same = [torch.equal(other.resid_post[i], run.resid_post[j]) for i, j in enumerate(moved)]
    assert all(same)
    with pytest.raises(ValueError, match="no other one"):
        replaced(run.prompts(slice(0, 1)), "resample")


def test_recovery_is_the_share_of_the_way_and_undefined_within_the_noise():
    base, source = np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.001, -1.0])
    patched = np.array([[2.0, 1.0], [2.0, 5.0], [-1.0, 7.0]])
    found = recovery(patched, base, source, floor=0.01)
    np.testing.assert_allclose(found[[0, 2]], [[0.5, 0.0], [1.0, -1.0]])
    assert np.isnan(found[1]).all()


def test_the_noise_floor_is_that_of_the_batch(llama_model, exact_model, pairs, candidates):
    def difference(logits):
        return logits[:, 0] - logits[:, 1]

    floor = noise_floor(llama_model, pairs.tokens, candidates, difference)
    assert 0 <= floor < 1e-4
    if exact_model.name != "gptj":
        assert noise_floor(exact_model, pairs.tokens, candidates, difference) < 1e-12
    assert noise_floor(llama_model, pairs.tokens[:0], candidates[:0], difference) == 0


def test_the_cost_counts_layers_above_and_positions_from_the_patch_on():
    patches = Grid.of([[[3], [1, 2]]], layers=[0, 2], components=[5]).patches()
    cost = sweep_cost(patches, n_prompts=1, n_tokens=4, n_layers=3)
    assert cost["token_layers"] == 12 + (2 * 1 + 0) + (2 * 3 + 0)
    assert cost["loop_token_layers"] == (1 + 4) * 12
    assert cost["times_less"] == pytest.approx(60 / 20)


def test_the_table_leaves_out_what_is_undefined():
    before = np.array([1.0, 2.0, 3.0])
    after = np.arange(12, dtype=float).reshape(3, 2, 2, 1)
    effect = after - before[:, None, None, None]
    effect[1, 0, 0, 0] = np.nan
    effect[:, 1, 1, 0] = np.nan
    table = tabulate(
        before,
        after,
        effect,
        places=["name", "last"],
        layers=[0, 7],
        components=["mlp"],
        rng=generator(0, "test"),
    )
    assert tuple(table.columns) == COLUMNS
    first = table.iloc[0]
    assert (first["layer"], first["component"], first["position"]) == (0, "mlp", "name")
    assert (first["metric_before"], first["metric_after"]) == (2.0, 4.0)
    assert (first["effect"], first["n"]) == (2.0, 2)
    assert first["low"] <= first["effect"] <= first["high"]
    last = table.iloc[3]
    assert (last["layer"], last["position"], last["n"]) == (7, "last", 0)
    assert np.isnan(last["effect"])
