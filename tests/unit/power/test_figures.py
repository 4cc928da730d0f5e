import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.power import StoredSweep, write_power_sweep
from pipeline_lib.figures.power import (
    pair_heads,
    pair_residual,
    regions_heads,
    regions_residual,
    table_baselines,
    told_apart,
)
from pipeline_lib.figures.power.pair_map import shown, strongest
from pipeline_lib.power.measure import baselines
from pipeline_lib.power.tables import region_table

PLACES = [-3, -2, -1]
REGIONS = ["before", "differing", "last"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def written(folder, rng, n_pairs, components, *, layers=(-1, 0, 1)):
    """Inputs of every figure, from random effects of some pairs."""
    shape = (n_pairs, len(layers), len(components), 3)
    base, source, after = rng.normal(size=n_pairs), rng.normal(size=n_pairs), rng.normal(size=shape)
    lines = list(range(2, 2 + n_pairs))
    effect = after - base[:, None, None, None]
    recovery = effect / (source - base)[:, None, None, None]
    names = list(components)
    sweep = StoredSweep(lines, list(layers), names, PLACES, base, source, after, recovery)
    write_power_sweep(folder / "sweep.h5", sweep, {})
    regions = region_table(
        base, source, after, [REGIONS] * n_pairs, layers=layers, components=names, seed=0
    )
    swept = list(zip(PLACES, REGIONS, strict=True))
    tokens = [(line, place, "a$b", "$x_", region) for line in lines for place, region in swept]
    pairs = pd.DataFrame(
        {"line": lines, "name": "A", "power": "A rules.", "no_power": "A runs.", "base": base}
    ).assign(source=source, status="swept", source_mass=0.1, base_mass=0.1)
    tables = {
        "regions": regions,
        "tokens": pd.DataFrame(tokens, columns=["line", "place", "source", "base", "region"]),
        "pairs": pairs,
    }
    if n_pairs:
        tables["baselines"] = baselines(pairs, 0)
    for name, table in tables.items():
        store.write_table(folder / f"{name}.csv", table)
    inputs = {name: str(folder / f"{name}.csv") for name in tables}
    return inputs | {"sweep": str(folder / "sweep.h5")}, sweep


def test_the_map_of_a_pair_shows_its_effects_in_both_measures(tmp_path, rng):
    inputs, sweep = written(tmp_path, rng, 2, ["residual"])
    drawn = pair_residual.make(inputs, {})
    assert len(drawn.table) == 9
    row = drawn.table.query("place == -1 and layer == 1").iloc[0]
    assert row["effect"] == pytest.approx(sweep.effect[0, 2, 0, 2])
    assert row["recovery"] == pytest.approx(sweep.recovery[0, 2, 0, 2])
    axes = drawn.figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["emb.", "0", "1"]
    image = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(image, sweep.effect[0, :, 0])
    drawn.figure.canvas.draw()  # the second scale, and signs of mathematics in tokens


def test_of_heads_the_rows_with_the_largest_effects_are_drawn(tmp_path, rng):
    layers, heads = range(20), [f"head_{n}" for n in range(3)]
    inputs, sweep = written(tmp_path, rng, 1, heads, layers=layers)
    drawn = pair_heads.make(inputs, {})
    labels = [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()]
    assert len(labels) == 24
    largest = np.abs(sweep.effect[0]).max(axis=-1)
    layer, head = np.unravel_index(largest.argmax(), largest.shape)
    assert f"{layer}.{head}" in labels
    assert len(drawn.table) == 60 * 3


def test_the_strongest_rows_stay_in_order():
    values = np.array([[0.0, 1.0], [-5.0, 0.0], [0.1, 0.1], [2.0, 0.0]])
    assert strongest(values, 2) == [1, 3]


def test_labels_show_both_tokens_where_they_differ():
    assert shown(" a", " a") == "a"
    assert shown(" made", " saw") == "saw | made"
    assert shown("\n", "\n") == "\\n"


def test_regions_without_tokens_are_left_out(tmp_path, rng):
    inputs, _ = written(tmp_path, rng, 3, ["residual"])
    drawn = regions_residual.make(inputs, {})
    labels = drawn.figure.axes[0].get_legend_handles_labels()[1]
    assert [label.split(" (")[0] for label in labels] == [
        "before the first difference", "differing words", "last token",
    ]  # fmt: skip
    assert all("(3)" in label for label in labels)


def test_heads_are_drawn_by_region(tmp_path, rng):
    inputs, _ = written(tmp_path, rng, 3, ["head_0", "head_1"], layers=(0, 1))
    drawn = regions_heads.make(inputs, {})
    titles = [axes.get_title() for axes in drawn.figure.axes]
    assert "differing words (3 pairs)" in titles
    assert drawn.table["recovery"].notna().sum() == 3 * 4


@pytest.mark.parametrize(
    ("figure", "components"),
    [(pair_residual, ["residual"]), (regions_residual, ["residual"]),
     (pair_heads, ["head_0", "head_1"]), (regions_heads, ["head_0", "head_1"])],
)  # fmt: skip
def test_no_pairs_are_said_and_no_error(tmp_path, rng, figure, components):
    inputs, _ = written(tmp_path, rng, 0, components)
    drawn = figure.make(inputs, {})
    assert "no pair was swept" in drawn.figure.axes[0].texts[0].get_text()


def test_baselines_are_drawn_and_tabulated(tmp_path, rng):
    inputs, sweep = written(tmp_path, rng, 5, ["residual"])
    table = table_baselines.make(inputs, {}).table.set_index("measure")
    difference = (sweep.source - sweep.base).mean()
    assert table.loc["difference", "value"] == pytest.approx(difference)
    drawn = told_apart.make(inputs, {})
    np.testing.assert_allclose(drawn.table["difference"], sweep.source - sweep.base)
    left, right = drawn.figure.axes
    assert len(left.collections[0].get_offsets()) == 5
    assert np.all(np.diff(right.collections[0].get_offsets()[:, 1]) >= 0)
