"""Figures of runs in which there is little or nothing to show, and the tables beside them."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.bayes.heads import HeadSettings, sweep_heads
from pipeline_lib.figures.bayes import answers, head_positions, heads, scores, steering, top_heads
from pipeline_lib.figures.bayes.parts import head_name, interval
from pipeline_lib.figures.style import save_figure


@pytest.fixture
def write(tmp_path):
    def written(**tables):
        for name, table in tables.items():
            table.to_csv(tmp_path / f"{name}.csv", index=False)
        return {name: str(tmp_path / f"{name}.csv") for name in tables}

    return written


def saved(drawn, tmp_path):
    outputs = {kind: str(tmp_path / f"out.{kind}") for kind in ("pdf", "png", "csv")}
    save_figure(drawn, outputs, 60)
    return pd.read_csv(outputs["csv"]) if len(drawn.table) else None


def words_of(figure):
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return " ".join(text.get_text() for text in texts)


def test_without_patched_pairs_the_figures_say_so(model, task, write, tmp_path):
    found = sweep_heads(model, task, HeadSettings(5, 3, 2, 2, 100.0, "base", 0))
    inputs = write(
        heads=found.heads, control=found.control, pairs=found.pairs, costs=found.costs,
        positions=found.positions,
    )  # fmt: skip
    for module in (heads, top_heads, head_positions):
        drawn = module.make(inputs, {"top": 3, "dpi": 60})
        assert "nothing was patched" in words_of(drawn.figure), module
        saved(drawn, tmp_path)


def test_the_maps_hold_every_head_and_its_control(model, task, write, tmp_path):
    found = sweep_heads(model, task, HeadSettings(5, 3, 2, 1, 0.0, "base", 0))
    inputs = write(heads=found.heads, control=found.control, pairs=found.pairs, costs=found.costs,
                   positions=found.positions)  # fmt: skip
    drawn = heads.make(inputs, {"dpi": 60})
    images = [image for axes in drawn.figure.axes[:2] for image in axes.images]
    assert [image.get_array().shape for image in images] == [(4, 4), (4, 4)]
    assert {image.get_clim() for image in images} == {(-1.0, 1.0)}
    assert len(saved(drawn, tmp_path)) == 32
    table = top_heads.make(inputs, {"top": 3, "dpi": 60}).table
    assert len(table) == 3
    assert table["effect"].abs().is_monotonic_decreasing
    places = head_positions.make(inputs, {"top": 3, "dpi": 60}).table
    assert places.groupby(["layer", "component"]).ngroups == 3


def edits():
    rows = [
        (prompt, direction, asked, asked / 4, size * asked)
        for prompt in range(3)
        for asked in (-0.5, 0.5)
        for direction, size in (("probe", 0.1), ("random_0", 0.02), ("random_1", -0.02))
    ]
    table = pd.DataFrame(rows, columns=["prompt", "direction", "asked_belief", "asked", "change"])
    return table.assign(n_x=5, step=1.0, read=table["asked_belief"], before=0.5, after=0.5)


def test_steering_compares_with_the_spread_of_random_directions():
    table = steering.tabulate(edits()).set_index(["kind", "asked_belief"])
    own, random = table.loc[("probe", 0.5)], table.loc[("random", 0.5)]
    assert own["change"] == pytest.approx(0.05)
    assert (own["n"], random["n"]) == (3, 2)
    assert random["change"] == pytest.approx(0)
    assert (random["low"], random["high"]) == (pytest.approx(-0.0095), pytest.approx(0.0095))


def test_a_single_order_has_no_interval():
    rules = dict.fromkeys(("bayes", "beta_bernoulli", "frequentist", "no_evidence"), 0.5)
    common = {"template": "base", "permutation": 0, **rules}
    table = answers.tabulate(pd.DataFrame({**common, "n_x": [0, 1, 1], "p_x": [0.2, 0.4, 0.6]}))
    assert table["prompts"].tolist() == [1, 2]
    assert np.isnan(table["low"].iloc[0])
    assert table["low"].iloc[1] <= table["p_x"].iloc[1] == pytest.approx(0.5)


def test_numbers_in_tables():
    assert interval(-0.1234, -0.2, 0.05) == "−0.12 [−0.20, 0.05]"
    assert interval(float("nan"), 0.0, 0.0) == "–"
    assert head_name(3, "head_7") == "L3 H7"
    assert set(scores.RULE_TITLES) == {"bayes", "beta_bernoulli", "frequentist"}
