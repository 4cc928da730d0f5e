"""Figures of the rivals: their numbers again from the artifacts, and what is said without any."""

import matplotlib.colors as mcolors
import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures import (
    fig_helix,
    fig_neuron_spectra,
    fig_rivals,
    fig_spectra,
    neuron_rivals,
)
from pipeline_lib.rivals.candidates import NUMBER_LABELS, NUMBERS, FourierMode
from pipeline_lib.rivals.codes import SPECTRUM_COLUMNS, WHERE
from pipeline_lib.rivals.contest import CHOSEN_COLUMNS, EXPLAINED_COLUMNS, STARTS, fits
from pipeline_lib.rivals.helix import FIT_COLUMNS
from pipeline_lib.rivals.patching import PATCH_COLUMNS
from pipeline_lib.rivals.study import KIND, Explained, write_spectra

PERIODS = {"periods": [2, 5, 10, 100]}
K = 2
KEYS = [(1, 4), (1, 9), (3, 0)]


def explained_table(seed, dead=()):
    """Random shares of every fit for the neurons of KEYS; NaN for dead ones."""
    rng = np.random.default_rng(seed)
    rows = [
        (*key, start, *fit, np.nan if key in dead else rng.uniform(0, 1))
        for start in STARTS
        for fit in fits(K)
        for key in KEYS
    ]
    return pd.DataFrame(rows, columns=EXPLAINED_COLUMNS)


def chosen_table():
    rows = [
        (*key, start, rival, place, f"{rival}_{place}", f"{rival} {start} {place}")
        for key in KEYS[:2]
        for start in STARTS
        for rival, n in (("heuristics", 2 * K), ("modes", K))
        for place in reversed(range(n))
    ]
    return pd.DataFrame(rows, columns=CHOSEN_COLUMNS)


@pytest.fixture
def files(tmp_path):
    """Tables of add, sub (one neuron dead) and mul (nothing at all)."""
    tables = {"add": explained_table(0), "sub": explained_table(1, dead=KEYS[1:2])}
    tables["mul"] = tables["add"].iloc[:0]
    for name, table in tables.items():
        store.write_table(tmp_path / f"{name}.csv", table)
    return {"explained": [str(tmp_path / f"{name}.csv") for name in tables]}


def bars_of(axes):
    return [patch.get_width() for patch in axes.patches]


def test_rivals_are_the_shares_of_the_artifact(files, write, words_of):
    drawn = fig_rivals.make(files, ["add", "sub", "mul"], {})
    add = store.read_table(files["explained"][0])

    def share(key, start, rival, terms):
        held = (add["layer"] == key[0]) & (add["neuron"] == key[1]) & (add["start"] == start)
        return add[held & (add["rival"] == rival) & (add["terms"] == terms)]["explained"].item()

    for key in KEYS:
        row = drawn.table.query("operator == 'add' and layer == @key[0] and neuron == @key[1]")
        assert row["trend"].item() == share(key, "trend", "none", 0)
        assert row["heuristic"].item() == share(key, "constant", "heuristics", 1)
        assert row["heuristics_twice"].item() == share(key, "constant", "heuristics", 2 * K)
        assert row["modes"].item() == share(key, "constant", "modes", K)
        assert row["both"].item() == share(key, "constant", "both", K)
        assert row["modes_trend"].item() == share(key, "trend", "modes", K)
    axes = drawn.figure.axes[0]
    mean = np.mean([share(key, "constant", "modes", K) for key in KEYS])
    assert bars_of(axes)[list(fig_rivals.BARS).index("modes")] == pytest.approx(mean)
    wins = sum(
        share(k, "constant", "modes", K) > share(k, "constant", "heuristics", K) for k in KEYS
    )
    assert f"modes: {wins}" in words_of(drawn)
    assert f"heuristics: {3 - wins}" in words_of(drawn)
    assert "no prompts" in words_of(drawn)
    assert drawn.table.groupby("operator").size().to_dict() == {"add": 3, "sub": 3}
    write(drawn)


def test_dead_neurons_are_in_no_mean(files):
    drawn = fig_rivals.make(files, ["add", "sub", "mul"], {})
    sub = drawn.table[drawn.table["operator"] == "sub"]
    assert sub["trend"].isna().sum() == 1
    found = fig_rivals.means(sub.dropna(), "sub")
    assert found["mean"].tolist() == pytest.approx(sub[list(fig_rivals.BARS)].mean().tolist())
    assert (found["low"] <= found["mean"]).all()
    assert (found["high"] >= found["mean"]).all()


def neuron_inputs(tmp_path, explained, chosen, neurons):
    tables = {"explained": explained, "chosen": chosen, "neurons": neurons}
    for name, table in tables.items():
        store.write_table(tmp_path / name, table)
    return {name: str(tmp_path / name) for name in tables}


def test_table_of_neurons_is_ordered_by_importance(tmp_path, write, words_of):
    neurons = pd.DataFrame(KEYS, columns=["layer", "neuron"]).assign(importance=[0.1, 0.9, 0.5])
    inputs = neuron_inputs(tmp_path, explained_table(1, dead=KEYS[2:]), chosen_table(), neurons)
    drawn = neuron_rivals.make(inputs, ["add"], {"example_neurons": 2})
    assert list(zip(drawn.table["layer"], drawn.table["neuron"], strict=True)) == [
        KEYS[1], KEYS[2], KEYS[0],
    ]  # fmt: skip
    labels = "heuristics constant 0; heuristics constant 1; heuristics constant 2"
    assert drawn.table.loc[0, "chosen_heuristics"].startswith(labels)
    assert drawn.table.loc[0, "chosen_modes"] == "modes constant 0; modes constant 1"
    assert drawn.table.loc[1, "chosen_modes"] == ""
    words = words_of(drawn)
    assert "L1 N9" in words
    assert "–" in words  # the dead neuron
    assert "L1 N4" not in words
    assert "1 more neurons in the CSV file" in words
    write(drawn)


def test_table_of_an_operator_without_neurons(tmp_path, write, words_of):
    empty = pd.DataFrame(columns=["layer", "neuron", "importance"])
    tables = (explained_table(0).iloc[:0], chosen_table().iloc[:0], empty)
    drawn = neuron_rivals.make(neuron_inputs(tmp_path, *tables), ["mul"], {"example_neurons": 2})
    assert "no neuron of multiplication" in words_of(drawn)
    write(drawn)


def spectra_file(path, share, modes):
    neurons = pd.DataFrame(KEYS[: len(share)], columns=["layer", "neuron"])
    nothing = pd.DataFrame()
    write_spectra(path, Explained(neurons, nothing, nothing, modes, share, 203), {})
    return str(path)


def test_spectra_of_neurons(tmp_path, write, words_of):
    modes = tuple(FourierMode(target, float(p)) for target in ("op1", "sum") for p in (2, 4, 8))
    share = np.array([[0.1, 0, 0, 0.5, 0, 0], [0, 0, 0.3, 0.2, 0, 0], [np.nan] * 6])
    files = [
        spectra_file(tmp_path / "add.h5", share, modes),
        spectra_file(tmp_path / "sub.h5", np.zeros((0, 0)), ()),
    ]
    drawn = fig_neuron_spectra.make({"spectra": files}, ["add", "sub"], PERIODS)
    mean = drawn.table[drawn.table["panel"] == "mean"].set_index(["target", "period"])
    assert mean.loc[("sum", 2.0), "share"] == pytest.approx(0.35)
    assert mean.loc[("op1", 8.0), "share"] == pytest.approx(0.15)
    assert (mean["neurons"] == 2).all()
    np.testing.assert_allclose(mean["noise"], 0.01)
    best = drawn.table[drawn.table["panel"] == "strongest"].set_index("neuron")
    assert best.loc[4, ["target", "period"]].tolist() == ["sum", 2.0]
    assert best.loc[9, ["target", "period"]].tolist() == ["op1", 8.0]
    assert best["share"].tolist() == pytest.approx([0.5, 0.3])
    assert "no prompts" in words_of(drawn)
    write(drawn)
    nothing = fig_neuron_spectra.make({"spectra": files[1:]}, ["sub"], PERIODS)
    assert "no operator has maps" in words_of(nothing)
    assert fig_neuron_spectra.SPECTRA_KIND == KIND
    assert {name: label for name, (label, *_) in fig_neuron_spectra.TARGETS.items()} == {
        name: NUMBER_LABELS[name] for name in NUMBERS
    }


def spectrum_rows(operator, position, layers):
    rows = [
        (operator, position, layer, period, 0.1 * (layer + 2) / period, 0.001, 0.02, 0.03)
        for layer in layers
        for period in (2.0, 2.5, 5.0, 30.0)
    ]
    return pd.DataFrame(rows, columns=SPECTRUM_COLUMNS)


def test_spectra_of_numbers_have_a_line_a_layer_in_one_colour(tmp_path, write, words_of):
    parts = [spectrum_rows("add", p, range(-1, 9)) for p in ("operand1", "operand2")]
    table = pd.concat([*parts, spectrum_rows("add", "equals", range(9))], ignore_index=True)
    store.write_table(tmp_path / "spectra.csv", table)
    inputs = {"spectra": str(tmp_path / "spectra.csv")}
    drawn = fig_spectra.make(inputs, ["sub", "add"], PERIODS)
    pd.testing.assert_frame_equal(drawn.table, table)
    layers = fig_spectra.drawn_layers(table["layer"])
    assert layers[0] == -1
    assert layers[-1] == 8
    assert len(layers) == fig_spectra.MAX_LINES
    colours = {}
    for axes in drawn.figure.axes:
        for line in axes.get_lines():
            if line.get_label().startswith(("layer", "embedding")):
                colours.setdefault(line.get_label(), set()).add(mcolors.to_hex(line.get_color()))
    assert set(colours) == {fig_spectra.layer_name(layer) for layer in layers}
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == len(layers)
    assert "no prompts" in words_of(drawn)
    write(drawn)


def helix_tables(operator):
    fit = [
        (operator, position, layer, name, 8, value + layer / 100, value - 0.1, value + 0.1)
        for position in ("operand1", "operand2", "equals")
        for layer in (-1, 0, 1)
        for name, value in (("helix", 0.4), ("polynomial", 0.7), ("shuffled", 0.0))
    ]
    patch = [
        (operator, position, layer, name, 8, value, value - 0.1, value + 0.1, 5)
        for position in ("operand1", "equals")
        for layer in (0, 1)
        for name, value in (("whole", 1.0), ("helix", 0.3), ("random", 0.05))
    ]
    return (
        pd.DataFrame(fit, columns=[*WHERE, *FIT_COLUMNS]),
        pd.DataFrame(patch, columns=[*WHERE, *PATCH_COLUMNS]),
    )


def helix_inputs(tmp_path, fits_table, patches):
    store.write_table(tmp_path / "fits.csv", fits_table)
    store.write_table(tmp_path / "patches.csv", patches)
    return {"fits": str(tmp_path / "fits.csv"), "patches": str(tmp_path / "patches.csv")}


def test_helix_figure_draws_what_was_fitted_and_patched(tmp_path, write, words_of):
    inputs = helix_inputs(tmp_path, *helix_tables("sub"))
    drawn = fig_helix.make(inputs, ["add", "sub"], PERIODS)
    key = ["measure", "position", "layer", "name"]
    table = drawn.table.set_index(key)
    assert table.loc[("fit", "equals", 1, "helix"), "value"] == pytest.approx(0.41)
    assert table.loc[("patch", "operand1", 0, "whole"), "value"] == 1.0
    assert table.loc[("patch", "operand1", 0, "whole"), "pairs"] == 5
    assert len(table) == 27 + 12
    words = words_of(drawn)
    assert "helix 2, 5, 10, 100" in words
    assert "emb." in words
    assert "principal components" not in words
    assert words.count("too few numbers") == 4  # the panels of add
    write(drawn)


def test_figures_of_numbers_without_any(tmp_path, write, words_of):
    empty = [table.iloc[:0] for table in helix_tables("add")]
    drawn = fig_helix.make(helix_inputs(tmp_path, *empty), ["add"], PERIODS)
    assert "no operator has correct prompts" in words_of(drawn)
    write(drawn)
    store.write_table(tmp_path / "spectra.csv", pd.DataFrame(columns=SPECTRUM_COLUMNS))
    drawn = fig_spectra.make({"spectra": str(tmp_path / "spectra.csv")}, ["add"], PERIODS)
    assert "no operator has correct prompts" in words_of(drawn)
    write(drawn)
    assert list(drawn.table) == SPECTRUM_COLUMNS
