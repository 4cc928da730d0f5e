"""Knockouts against random sets: the figure's numbers by other means."""

import itertools

import numpy as np
import pandas as pd
import pytest

import pipeline_lib.figures.fig_knockout_controls as controls
from pipeline_lib import store

KINDS = ("zero", "mean", "resample")


def heuristic_rows():
    """Six heuristics that lose accuracy on their own prompts; random sets that lose little."""
    rng = np.random.default_rng(5)
    for heuristic, kind in itertools.product(range(6), KINDS):
        for draw in range(4):
            condition = "matched" if draw else "heuristic"
            lost = rng.uniform(0.2, 0.6) if not draw else rng.uniform(0, 0.05)
            sizes = (8, 2 * draw, 0.5 + draw / 10)
            yield (f"h{heuristic}", kind, condition, *sizes, 1.0, 1 - lost, 0.9, 0.9 - lost / 4)


def prompt_rows():
    """Ten prompts; a third of the control's neurons are missing at the largest limit."""
    rng = np.random.default_rng(6)
    sizes = {"heuristic": (12, 0), "control": (8, 0), "matched": (12, 3)}
    for a, kind, condition, limit in itertools.product(range(10), KINDS, sizes, (0, 2, 4)):
        right = limit == 0 or rng.random() > (0.8 if condition == "heuristic" else 0.1)
        n, unmapped = (0, 0) if limit == 0 else sizes[condition]
        yield (a, 1, kind, condition, limit, n, unmapped, 0.7, right)


@pytest.fixture
def tables():
    return (
        pd.DataFrame(heuristic_rows(), columns=controls.BY_HEURISTIC),
        pd.DataFrame(prompt_rows(), columns=controls.BY_PROMPT),
    )


@pytest.fixture
def drawn(tmp_path, tables):
    """The figure of an operator with both tables, and of one with none."""
    files = {"by_heuristic": [], "by_prompt": []}
    for operator, part in (("add", slice(None)), ("sub", slice(0, 0))):
        for name, table in zip(files, tables, strict=True):
            path = tmp_path / f"{operator}_{name}.csv"
            store.write_table(path, table[part])
            files[name].append(str(path))
    return controls.make(files, ["add", "sub"], {"dpi": 60, "draws": 3})


def flip_p(differences):
    """Two-sided sign-flip p over all signs."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(differences))))
    sums = np.abs(signs @ differences)
    return (sums >= abs(sum(differences)) - 1e-9).mean()


def test_the_drop_is_what_its_prompts_lose_more_than_others(drawn, tables):
    found = drawn.table[drawn.table["knockout"] == "by_heuristic"]
    assert len(found) == 3 * 2
    found = found.set_index(["ablation", "condition"])
    for kind in KINDS:
        own = tables[0][tables[0]["ablation"] == kind]
        each = {"heuristic": [], "matched": []}
        for _, rows in own.groupby("heuristic"):
            for condition, drops in each.items():
                some = rows[rows["condition"] == condition]
                lost = (1.0 - some["associated"]) - (0.9 - some["other"])
                drops.append(float(np.mean(lost)))
        for condition, drops in each.items():
            row = found.loc[(kind, condition)]
            assert row["drop"] == pytest.approx(np.mean(drops))
            assert row["n"] == 6
            # a bootstrap of six values spreads about as their standard error says
            error = np.std(drops) / np.sqrt(6)
            assert row["high"] - row["low"] == pytest.approx(3.92 * error, rel=0.2)
            assert row["low"] < row["drop"] < row["high"]
        difference = np.subtract(each["heuristic"], each["matched"])
        assert found.loc[(kind, "matched"), "p_value"] == pytest.approx(flip_p(difference))
        assert np.isnan(found.loc[(kind, "heuristic"), "p_value"])
        assert found.loc[(kind, "matched"), "n_unmapped"] == pytest.approx(4.0)
        assert found.loc[(kind, "matched"), "norm"] == pytest.approx(0.7)


def test_prompts_lose_accuracy_against_the_limit_0(drawn, tables):
    found = drawn.table[drawn.table["knockout"] == "by_prompt"]
    assert (found["limit"] == 4).all()
    found = found.set_index(["ablation", "condition"])
    for (kind, condition), row in found.iterrows():
        held = (tables[1]["ablation"] == kind) & (tables[1]["condition"] == condition)
        right = tables[1][held & (tables[1]["limit"] == 4)]["correct"]
        assert row["drop"] == pytest.approx(1 - np.mean(right.astype(float)))
        assert row["n"] == 10
        assert row["drawn"] == (condition != "control")  # 8 of 12 neurons are no control
        if condition == "matched":
            wrong = {
                name: ~tables[1][
                    (tables[1]["ablation"] == kind)
                    & (tables[1]["condition"] == name)
                    & (tables[1]["limit"] == 4)
                ]["correct"].to_numpy(dtype=bool)
                for name in ("heuristic", "matched")
            }
            difference = wrong["heuristic"].astype(float) - wrong["matched"]
            assert row["p_value"] == pytest.approx(flip_p(difference))
    assert len(found) == 9


def test_an_operator_with_nothing_says_so(drawn, write, words_of):
    assert set(drawn.table["operator"]) == {"add"}
    words = words_of(drawn)
    assert "no heuristic has" in words
    assert "no prompt has neurons" in words
    assert "6 heuristics" in words
    assert "10 prompts, 4 per layer" in words
    assert "other top neurons" not in words  # nowhere drawn
    write(drawn)


def test_prompts_without_neurons_are_not_drawn(tables):
    empty = tables[1].assign(n_neurons=0, correct=True)
    table = controls.tabulate_prompts(empty, np.random.default_rng(0))
    assert (table["drop"] == 0.0).all()
    assert not table["drawn"].any()
    assert table["p_value"].isna().all()


def test_p_values_are_written_short():
    assert [controls._p_text(p) for p in (1.0, 0.0312, 0.0004, np.nan)] == [
        "p 1.000", "p .031", "p <.001", "p –",
    ]  # fmt: skip
