import numpy as np
import pytest
import torch

from pipeline_lib.artifacts.power import read_power_sweep, write_power_sweep
from pipeline_lib.power.baseline import answer, pair_table, token_rows
from pipeline_lib.power.measure import log_ratio
from pipeline_lib.power.regions import REGIONS, regions_of
from pipeline_lib.power.stage import run_sweep
from pipeline_lib.power.sweeping import PARTS, sweep_pairs
from pipeline_lib.power.tables import region_table
from pipeline_lib.stimuli.power import FALSE_VARIANTS, QUESTION, TRUE_VARIANTS
from tests.power_stand_in import N_HEADS, N_LAYERS


@pytest.fixture(scope="module")
def everything(model, prompts, answers):
    """Every patch is run, also those whose result is known."""
    return {part: sweep_pairs(model, prompts, answers, part, skip_known=False) for part in PARTS}


def test_the_last_layer_at_the_last_position_gives_the_sources_answer(
    model, prompts, answers, everything
):
    source, _ = answer(model, [pair.source for pair in prompts], answers)
    base, _ = answer(model, [pair.base for pair in prompts], answers)
    found = everything["residual"]
    np.testing.assert_allclose(found.after[:, -1, 0, -1], source, atol=1e-10)
    np.testing.assert_allclose(found.base, base, atol=1e-10)
    assert np.abs(source - base).min() > 1e-3


@pytest.mark.parametrize("part", PARTS)
def test_identical_tokens_before_the_first_difference_change_nothing(
    model, prompts, answers, everything, part
):
    known = sweep_pairs(model, prompts, answers, part)
    for i, pair in enumerate(prompts):
        names = regions_of(pair.tokens(model.tokenizer))
        first = names.index("differing") - len(names)
        effect = everything[part].effect[i][:, :, :first]
        there = np.isfinite(effect)
        assert np.abs(effect[there]).max(initial=0.0) < 1e-10
        exactly = known.effect[i][:, :, :first]
        assert (exactly[there] == 0).all()
    np.testing.assert_allclose(known.after, everything[part].after, atol=1e-10)
    assert known.cost["known"] > 0


def test_embeddings_differ_only_where_tokens_do(model, prompts, everything):
    layer = everything["residual"].layers.index(-1)
    for i, pair in enumerate(prompts):
        tokens = pair.tokens(model.tokenizer)
        effect = everything["residual"].effect[i, layer, 0, -len(tokens) :]
        same = np.array([token.is_same for token in tokens])
        assert np.abs(effect[same]).max() < 1e-10
        assert np.abs(effect[~same]).min() > 1e-6


def test_axes_are_pair_layer_component_token(prompts, everything):
    width = max(pair.n_swept for pair in prompts)
    n = len(prompts)
    assert everything["residual"].after.shape == (n, N_LAYERS + 1, 1, width)
    assert everything["mlp"].after.shape == (n, N_LAYERS, 1, width)
    assert everything["heads"].after.shape == (n, N_LAYERS, N_HEADS, width)
    assert everything["residual"].places == list(range(-width, 0))
    for i, pair in enumerate(prompts):
        there = np.isfinite(everything["mlp"].after[i, 0, 0])
        assert there.tolist() == [False] * (width - pair.n_swept) + [True] * pair.n_swept


def hooked(model, pair, answers, layer, place, site):
    """The same patch by a plain hook on a whole forward pass of the Hugging Face model."""
    block = model.hf.model.layers[layer]
    module = {"residual": block, "mlp": block.mlp}[site]
    kept = {}

    def keep(_module, _inputs, output):
        kept["value"] = (output[0] if isinstance(output, tuple) else output)[0, place].clone()

    def put(_module, _inputs, output):
        (output[0] if isinstance(output, tuple) else output)[0, place] = kept["value"]
        return output

    for hook, prompt in ((keep, pair.source), (put, pair.base)):
        handle = module.register_forward_hook(hook)
        with torch.no_grad():
            logits = model.hf(torch.tensor([prompt.ids])).logits[0, -1]
        handle.remove()
    return float(log_ratio(logits[answers.ids].numpy()[None], answers.n_true)[0])


@pytest.mark.parametrize("part", ["residual", "mlp"])
def test_sweeps_are_plain_hooks_from_the_right(model, prompts, unequal, answers, part):
    """Also for pairs of unequal length, each run at its own length without padding."""
    both = [*prompts[:2], *unequal]
    found = sweep_pairs(model, both, answers, part)
    for i, pair in enumerate(both):
        for layer in range(N_LAYERS):
            for place in range(-pair.n_swept, 0):
                wanted = hooked(model, pair, answers, layer, place, part)
                got = found.after[i, found.layers.index(layer), 0, place]
                assert got == pytest.approx(wanted, abs=1e-9)


def test_of_unequal_pairs_nothing_is_known_but_the_unread(model, unequal, answers):
    found = sweep_pairs(model, unequal, answers, "residual")
    swept = sum(pair.n_swept for pair in unequal)
    assert found.cost["known"] == swept - len(unequal)  # the last layer before the last token


def test_the_cost_is_less_than_a_loop(everything, model, prompts, answers):
    ran, skipped = everything["heads"].cost, sweep_pairs(model, prompts, answers, "heads").cost
    cells = sum(pair.n_swept for pair in prompts) * N_LAYERS * N_HEADS
    assert ran["patches"] == skipped["patches"] == cells
    assert ran["known"] == 0
    assert skipped["token_layers"] < ran["token_layers"] < ran["loop_token_layers"]
    assert skipped["times_less"] > 3


def test_no_pairs_are_no_sweep(model, answers):
    found = sweep_pairs(model, [], answers, "heads")
    assert found.after.shape == (0, N_LAYERS, N_HEADS, 0)
    assert found.cost["times_less"] == 1.0


def test_the_stage_goes_from_the_pairs_to_what_is_stored(model, table, prompts, answers, tmp_path):
    settings = {"alignment": "strict", "swept": "told_apart"}
    pairs, floor = pair_table(model, table, prompts, answers, settings)
    done = run_sweep(
        model,
        pairs,
        token_rows(model, prompts),
        part="residual",
        question=QUESTION,
        true_variants=TRUE_VARIANTS,
        false_variants=FALSE_VARIANTS,
        noise=floor,
        n_pairs=4,
        shown=int(table["line"][3]),
        seed=0,
    )
    assert done.sweep.lines[0] == table["line"][3]
    assert len(done.sweep.lines) == done.cost["pairs"] == 4
    np.testing.assert_allclose(done.sweep.recovery[:, -1, 0, -1], 1.0, atol=1e-8)
    last = done.regions.query("position == 'last' and layer == 2").iloc[0]
    assert last["recovery"] == pytest.approx(1.0, abs=1e-8)
    assert last["effect"] == pytest.approx((done.sweep.source - done.sweep.base).mean(), abs=1e-8)
    before = done.regions.query("position == 'before' and n > 0")
    assert (before["effect"] == 0).all()
    write_power_sweep(tmp_path / "sweep.h5", done.sweep, {"model": "x"})
    again = read_power_sweep(tmp_path / "sweep.h5")
    np.testing.assert_array_equal(again.after, done.sweep.after)
    assert (again.lines, again.layers) == (done.sweep.lines, done.sweep.layers)


def test_recovery_weighs_pairs_by_their_difference():
    base, source = np.array([0.0, 0.0]), np.array([1.0, -3.0])
    after = np.array([0.5, -3.0]).reshape(2, 1, 1, 1)
    table = region_table(
        base, source, after, [["last"], ["last"]], layers=[0], components=["mlp"], seed=0
    )
    row = table.set_index("position").loc["last"]
    assert row["effect"] == pytest.approx(-1.25)
    assert row["recovery"] == pytest.approx((0.5 + 3.0) / 4.0)
    assert row["recovery_low"] == pytest.approx(0.5)
    assert row["recovery_high"] == pytest.approx(1.0)
    assert list(table["position"]) == list(REGIONS)
    assert table.set_index("position").loc["entity", "n"] == 0
