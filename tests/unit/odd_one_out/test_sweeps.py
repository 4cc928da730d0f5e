import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.errors import PromptError
from pipeline_lib.odd_one_out.baselines import SUMMARY, choose_task, mark_passing
from pipeline_lib.odd_one_out.critical import Critical, critical_layers, find_critical
from pipeline_lib.odd_one_out.pairs import margin, prompt_logits
from pipeline_lib.odd_one_out.places import PLACES, Pools, places_of
from pipeline_lib.odd_one_out.study import SweepSettings, run_sweeps, spread_over_classes
from pipeline_lib.odd_one_out.sweeping import necessity, sufficiency
from pipeline_lib.rng import generator
from pipeline_lib.sweeps import COLUMNS


def test_the_table_of_baselines_counts_every_task_and_kind(measured):
    summary = measured.summary.set_index(["task", "kind"])
    assert list(measured.summary.columns) == SUMMARY
    assert summary.loc[("common_attribute", "profession"), "pairs"] == 24
    assert summary.loc[("odd_one_out_shots", "profession"), "pairs"] == 8
    assert measured.choice["task"] == "common_attribute"
    row = summary.loc[("common_attribute", "profession")]
    own = measured.pairs[
        (measured.pairs["task"] == "common_attribute") & (measured.pairs["kind"] == "profession")
    ]
    assert row["right"] == (own["margin_clean"] > 0).sum()
    assert row["gap"] == pytest.approx((own["margin_clean"] - own["margin_corrupt"]).mean())


def test_every_candidates_logit_is_kept(measured):
    part = measured.logits[measured.logits["task"] == "common_attribute"]
    counts = part.groupby("pair_of_task")["candidate"].nunique()
    assert (counts == counts.iloc[0]).all()
    own = measured.pairs[measured.pairs["task"] == "common_attribute"].iloc[0]
    first = part[part["pair_of_task"] == 0].set_index("candidate")["clean"]
    wrong = first.drop(own["answer"]).max()
    assert first[own["answer"]] - wrong == pytest.approx(own["margin_clean"])


def test_a_pair_passes_where_both_prompts_are_right_and_told_apart():
    rows = pd.DataFrame(
        {
            "margin_clean": [1.0, 1.0, -1.0, 1.0, 1.0, 1.0],
            "gap": [2.0, 0.01, 2.0, 2.0, 2.0, 0.3],
            "margin_corrupt_answer": [np.nan, 1.0, 1.0, -1.0, 1.0, 1.0],
            "aligned": [True, True, True, True, False, True],
        }
    )
    marked = mark_passing(rows, floor=0.02, min_gap=0.1)
    assert marked["passes"].tolist() == [True, False, False, False, False, True]
    assert marked["within_noise"].tolist() == [False, True, False, False, False, False]


def summary_of(*rows):
    columns = ["task", "kind", "low", "chance", "passing"]
    return pd.DataFrame(rows, columns=columns)


def test_the_first_task_that_the_model_can_do_is_swept():
    tasks = ["odd_one_out", "common_attribute", "one_name"]
    summary = summary_of(
        ("odd_one_out", "profession", 0.2, 0.33, 50),
        ("odd_one_out", "ambiguous", 0.9, 0.33, 50),
        ("common_attribute", "profession", 0.6, 0.1, 20),
        ("one_name", "profession", 0.6, 0.1, 90),
    )
    assert choose_task(summary, tasks, 12)["task"] == "common_attribute"
    assert choose_task(summary, tasks, 30)["task"] == "one_name"
    by_luck = choose_task(summary, tasks[:1], 12)
    assert (by_luck["above_chance"], by_luck["passing"]) == (False, 50)
    with pytest.raises(PromptError, match="passes no pair"):
        choose_task(summary.assign(passing=0), tasks, 12)


def test_places_are_found_for_every_prompt(odd_model, pairs):
    for number, (swapped, kept, query) in enumerate(places_of(pairs)):
        prompt, row = pairs.clean[number], pairs.table.iloc[number]
        for positions, name in ((swapped, row["swapped"]), (kept, row["kept"])):
            words = odd_model.tokenizer.convert_ids_to_tokens([prompt.ids[i] for i in positions])
            assert [word.strip() for word in words] == name.split()
        assert query == [len(prompt) - 1]


def test_pools_align_places_from_their_end():
    pool = Pools("z")
    short, long = torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0], [20.0], [30.0]])
    pool.pieces[0] = [short, long, short + 4]
    mean = pool.filling(0, 1, "mean", [0, 1, 2])
    assert mean[:, 0].tolist() == pytest.approx([10.0, (1 + 20 + 5) / 3, (2 + 30 + 6) / 3])
    assert pool.filling(0, 0, "zero", [0, 1, 2]).tolist() == [[0.0], [0.0]]
    assert torch.equal(pool.filling(0, 0, "resample", [0, 1, 2]), short + 4)
    assert torch.equal(pool.filling(0, 2, "resample", [0, 1, 2]), short)
    assert torch.isnan(pool.filling(0, 1, "resample", [0, 1, 2])).all()


def test_the_last_residual_at_the_query_is_the_clean_prompt(odd_model, pairs):
    """Nothing is read after it; the swapped name's is read by no one there, and before by some."""
    few = pairs.take(np.arange(4))
    last = odd_model.n_layers - 1
    cells = sufficiency(odd_model, few, [0, last], [odd_model.n_heads + 1])
    clean = margin(prompt_logits(odd_model, few, "clean"))
    before, after = cells.margins
    np.testing.assert_allclose(before, margin(prompt_logits(odd_model, few, "corrupt")), atol=1e-4)
    assert (np.abs(after[:, PLACES.index("swapped"), 0, 0] - before) > 1e-3).any()
    np.testing.assert_allclose(after[:, PLACES.index("query"), 1, 0], clean, atol=1e-3)
    np.testing.assert_allclose(after[:, PLACES.index("swapped"), 1, 0], before, atol=1e-4)


def test_a_zeroed_residual_at_the_end_leaves_no_margin(odd_model, pairs):
    few = pairs.take(np.arange(3))
    last = odd_model.n_layers - 1
    cells = necessity(odd_model, few, "zero", [last], [odd_model.n_heads + 1], seed=0)
    _, after = cells.margins
    assert np.abs(after[:, PLACES.index("query")]).max() < 1e-5


def test_pairs_are_spread_over_the_classes(pairs):
    chosen = spread_over_classes(pairs, 5, generator(0, "spread"))
    assert len(chosen) == 5
    assert chosen.table["class"].nunique() == min(5, pairs.table["class"].nunique())


def rows_of(values):
    return pd.DataFrame(
        {
            "component": "residual",
            "position": "query",
            "layer": range(len(values)),
            "effect": values,
        }
    )


def test_critical_layers_are_where_the_query_rises_most():
    assert critical_layers(rows_of([0.0, 0.1, 0.2, 0.7, 0.9, 1.0]), 2) == [3, 4]
    assert critical_layers(rows_of([0.9, 1.0]), 1) == [0]
    assert critical_layers(rows_of([0.0, 1.0]), 5) == [0, 1]


def test_critical_parts_are_the_most_sufficient_of_these_layers():
    cells = [(3, "H0", 0.1), (3, "H1", 0.5), (4, "H0", 0.3), (4, "MLP", 0.2), (3, "MLP", 0.1)]
    parts = pd.DataFrame([(*c[:2], "query", c[2]) for c in [*cells, (0, "H1", 0.9)]],
                         columns=["layer", "component", "position", "effect"])  # fmt: skip
    found = find_critical(rows_of([0.0, 0.1, 0.2, 0.7, 0.9, 1.0]), parts, 2, 2)
    assert found == Critical([3, 4], 4, [(3, 1), (4, 0)], 4)
    assert Critical.of(found.plain()) == found


def test_all_sweeps_write_the_one_format(odd_model, measured):
    settings = SweepSettings(pairs=4, component_pairs=3, window=1, heads=1, every=1,
                             generality_pairs=6, control_pairs=3)  # fmt: skip
    found = run_sweeps(odd_model, measured.pairs, measured.choice, settings)
    for table in (found.necessity, found.sufficiency, found.generality):
        assert set(COLUMNS) <= set(table.columns)
    assert set(found.necessity["by"]) == {"zero", "mean", "resample"}
    assert {"all", "ambiguous", "undefined"} <= set(found.generality["group"])
    assert (found.costs["times_less"] > 1).all()
    query = found.sufficiency.query("component == 'residual' and position == 'query'")
    assert query["effect"].iloc[-1] == pytest.approx(1.0, abs=1e-3)
