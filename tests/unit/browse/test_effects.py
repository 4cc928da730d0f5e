"""Page of effects: means, intervals and ranks, computed again from the effects."""

import numpy as np
import pytest

from pipeline_lib.browse.effects import resample, tabulate_effects
from pipeline_lib.figures.reading import Effects
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import POSITIONS
from tests.unit.figures.conftest import write_effects

COMPONENTS = ["head_0", "head_1", "mlp"]


def effects_of(values):
    """Effects of seeds [seed, prompt, position, layer, component]."""
    return Effects(list(values), list(POSITIONS), list(range(values.shape[3])), COMPONENTS)


def random_effects(n_prompts, seed=0):
    return np.random.default_rng(seed).normal(0.5, 1.0, size=(2, n_prompts, 4, 2, 3))


def test_means_intervals_and_ranks():
    values = {"add": random_effects(30), "sub": random_effects(20, 1)}
    table = tabulate_effects({name: effects_of(found) for name, found in values.items()})
    cells = table.set_index(["operator", "position", "layer", "component"]).sort_index()
    for name, found in values.items():
        per_prompt = found.mean(axis=0)
        rng, draws = generator(0, "browse_effects", name), []
        n_seeds, n_prompts = found.shape[:2]
        seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=2000)
        prompts = rng.multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=2000)
        for drawn in zip(seeds, prompts, strict=True):
            rows = [np.repeat(np.arange(len(counts)), counts) for counts in drawn]
            draws.append(found[rows[0]][:, rows[1]].mean(axis=(0, 1)))
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        cell = cells.loc[(name, "operator", 1, "mlp")]
        assert cell["mean"] == pytest.approx(found[:, :, 1, 1, 2].mean())
        assert cell["low"] == pytest.approx(low[1, 1, 2])
        assert cell["high"] == pytest.approx(high[1, 1, 2])
        assert cell["n_prompts"] == found.shape[1]
        means = per_prompt.mean(axis=0)[1]
        assert cell["rank"] == 1 + (means > means[1, 2]).sum()
    both = cells.loc[("all", "equals", 0, "head_1")]
    expected = np.mean([found[:, :, 3, 0, 1].mean() for found in values.values()])
    assert both["mean"] == pytest.approx(expected)
    assert both["low"] < expected < both["high"]
    assert both["n_prompts"] == 50


def test_the_interval_of_all_operators_is_narrower_than_that_of_one():
    """Independent operators of the same spread: by about the root of their number."""
    names = "abcd"
    found = {name: effects_of(random_effects(200, seed)) for seed, name in enumerate(names)}
    table = tabulate_effects(found)
    width = (table["high"] - table["low"]).groupby(table["operator"]).mean()
    assert width["all"] == pytest.approx(width["a"] / 2, rel=0.1)


def test_values_that_are_not_finite_are_left_out():
    values = random_effects(6)
    values[0, 2, 0, 0, 0] = np.nan
    values[1, 4, 0, 0, 0] = np.inf
    values[:, :, 3, 1, 2] = np.nan
    mean, drawn = resample(effects_of(values), np.random.default_rng(0))
    cell = values[:, :, 0, 0, 0]
    assert mean[0, 0, 0] == pytest.approx(cell[np.isfinite(cell)].mean())
    assert drawn[:, 0, 0, 0].std() > 0
    assert np.isnan(mean[3, 1, 2])


def test_what_the_page_shows(make):
    page = make("effects")
    # add: L2H1 at "=" has 1 with one seed and 2 with the other, sub three times that
    shown = page.data["views"]["all"]["positions"]["equals"]
    assert shown["mean"][2] == [0.0, 3.0, 0.0]
    assert shown["log1p"][2][1] == pytest.approx(np.log(4), abs=1e-4)
    assert shown["texts"][2][1] == ["L2H1", "3", "[2, 4]", "1 of 9", "4"]
    assert shown["ranked"][0] == ["L2H1", "3", "[2, 4]", "1 of 9"]
    assert shown["limits"] == {
        "mean": [0.0, 3.0],
        "log1p": [0.0, pytest.approx(np.log(4), abs=1e-4)],
    }
    first = page.data["views"]["add"]["positions"]["operand1"]
    assert first["ranked"][0][:2] == ["L0 MLP", "0.5"]
    assert page.data["views"]["sub"]["n"] == "2 prompts"
    assert page.data["views"]["div"] == {}
    assert [name for name, _ in page.data["positions"]] == list(POSITIONS)[::-1]


def test_means_below_the_limit_are_counted(make, tmp_path):
    values = np.full((2, 4, 2, 3), -1.5)
    path = str(tmp_path / "low.h5")
    write_effects(path, values)
    shown = make("effects", {"effects": [path]}, ["add"]).data["views"]["add"]
    assert shown["positions"]["equals"]["clipped"] == 6
    assert shown["positions"]["equals"]["log1p"][0][0] == pytest.approx(np.log(0.001), rel=1e-3)


def test_no_effects_at_all_are_said(make, study):
    page = make("effects", {"effects": study("effects", ["div"])}, ["div"])
    assert page.data["views"] == {"all": {}, "div": {}}
    assert "no effect was measured" in str(page.preview)
