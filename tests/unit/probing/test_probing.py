"""Linear probes on made-up residuals in which it is known where the answer can be read."""

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline_lib.probing.answers import (
    COLUMNS,
    probe_answers,
)
from pipeline_lib.probing.budget import layers_at_once
from pipeline_lib.probing.readable import first_readable_layer, resolve_first_layer
from pipeline_lib.probing.tasks import (
    ProbeTask,
    held_out_task,
    make_tasks,
    neighbours,
    sample_correct,
)
from pipeline_lib.probing.training import ProbeSettings, batch_order, standardized, train_probes
from pipeline_lib.rng import generator

POSITIONS = ("operand2", "equals")
N_LAYERS, D_MODEL, N_NUMBERS, N_PROMPTS = 3, 24, 20, 400
READABLE = (2, "equals")
SETTINGS = ProbeSettings(epochs=30, learning_rate=3e-2)


def _answers() -> np.ndarray:
    return generator(1, "answers").integers(0, N_NUMBERS, N_PROMPTS)


def _residuals(answers: np.ndarray) -> np.ndarray:
    """Noise everywhere, and the answer's own direction at layer 2, position "="."""
    rng = generator(2, "residuals")
    x = rng.normal(size=(len(answers), len(POSITIONS), N_LAYERS, D_MODEL))
    directions = 4 * np.linalg.qr(rng.normal(size=(D_MODEL, D_MODEL)))[0][:N_NUMBERS]
    x[:, 1, 2] = 0.3 * x[:, 1, 2] + directions[answers]
    return x.astype(np.float32)


def _probe(x, answers, **changes) -> pd.DataFrame:
    options = {
        "operator": "add", "positions": POSITIONS, "n_layers": N_LAYERS, "n_numbers": N_NUMBERS,
        "d_model": D_MODEL, "settings": SETTINGS, "test_share": 0.2, "rng": generator(3, "probe"),
    } | changes  # fmt: skip
    return probe_answers(lambda layers: x[:, :, layers], answers, **options)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Probes of the made-up residuals."""
    return _probe(_residuals(_answers()), _answers())


def _cells(table: pd.DataFrame, variant: str) -> pd.Series:
    return table[table["variant"] == variant].set_index(["layer", "position"])["accuracy"]


def test_the_answer_is_read_where_it_is_and_nowhere_else(table):
    cells = _cells(table, "answer")
    assert len(cells) == N_LAYERS * len(POSITIONS)
    assert cells[READABLE] > 0.95
    assert cells.drop(READABLE).max() < 0.2


def test_shuffled_answers_cannot_be_read_anywhere(table):
    assert _cells(table, "shuffled").max() < 0.2


def test_labels_dealt_out_anew_after_caching_are_noticed():
    # the mistake of the authors' script: activations of one order, labels of another
    answers = _answers()
    moved = generator(4, "mistake").permutation(answers)
    cells = _cells(_probe(_residuals(answers), moved, variants=["answer"]), "answer")
    assert cells[READABLE] < 0.2


def test_rows_and_intervals(table):
    assert list(table.columns) == COLUMNS
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"] + 1e-9).all()
    assert table["high"].iloc[0] < 0.5 < 0.9 < table["low"].iloc[5]
    exact = table[table["variant"] != "held_out"]
    assert set(exact["n_train"]) == {320}
    assert set(exact["n_test"]) == {80}
    first = table[["variant", "layer", "position"]].iloc[:3].to_numpy().tolist()
    assert first == [["answer", 0, "operand2"], ["answer", 0, "equals"], ["answer", 1, "operand2"]]


def test_the_same_seed_gives_the_same_table(table):
    pd.testing.assert_frame_equal(table, _probe(_residuals(_answers()), _answers()))


def test_layers_in_blocks_give_the_same_table_as_all_at_once(table):
    blocks = []
    x = _residuals(_answers())

    def read(layers: slice) -> np.ndarray:
        blocks.append((layers.start, layers.stop))
        return x[:, :, layers]

    one_layer = layers_at_once(N_PROMPTS, 2, D_MODEL, N_NUMBERS, budget=1)
    in_blocks = probe_answers(
        read, _answers(), operator="add", positions=POSITIONS, n_layers=N_LAYERS,
        n_numbers=N_NUMBERS, d_model=D_MODEL, settings=SETTINGS, test_share=0.2,
        rng=generator(3, "probe"), budget=one_layer,
    )  # fmt: skip
    assert blocks == [(0, 1), (1, 2), (2, 3)]
    pd.testing.assert_frame_equal(table, in_blocks)


def test_fewer_variants_give_the_same_rows(table):
    alone = _probe(_residuals(_answers()), _answers(), variants=["shuffled"])
    rows = table[table["variant"] == "shuffled"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, rows)


@pytest.mark.parametrize("n_prompts", [0, 1, 2])
def test_too_few_prompts_give_no_rows(n_prompts):
    answers = _answers()[:n_prompts]
    table = _probe(_residuals(answers), answers)
    assert table.empty
    assert list(table.columns) == COLUMNS


def test_layers_that_fit_a_budget():
    # 2 positions x 4 bytes x 8 directions x (4 x 10 prompts + 4 x 5 numbers) = 3840 a layer
    assert layers_at_once(10, 2, 8, 5, budget=3 * 3840) == 3
    assert layers_at_once(10, 2, 8, 5, budget=3 * 3840 - 1) == 2
    assert layers_at_once(10, 2, 8, 5, budget=0) == 1


def test_first_layer_at_which_the_answer_is_readable(table):
    assert first_readable_layer(table, 0.5) == 2
    assert first_readable_layer(table, 0.5, position="operand2") is None
    assert first_readable_layer(table.iloc[:0], 0.5) is None
    # an operator that is never read halves the mean: .5 does not pass .5
    unread = table.assign(operator="sub", accuracy=0.0)
    assert first_readable_layer(pd.concat([table, unread]), 0.5) is None
    assert first_readable_layer(pd.concat([table, unread]), 0.4) == 2


def test_auto_is_the_first_readable_layer_or_else_half(table, caplog):
    neurons = {"first_heuristics_layer": "auto", "readable_accuracy": 0.5, "per_layer": 3}
    empty = table.iloc[:0]
    assert resolve_first_layer(neurons, [table, empty]) == neurons | {"first_heuristics_layer": 2}
    assert not caplog.records
    for probes in ([empty], [], [table.assign(accuracy=0.5)]):
        assert resolve_first_layer(neurons, probes)["first_heuristics_layer"] == "half"
    assert "no layer's probe passes 0.5" in caplog.text
    given = neurons | {"first_heuristics_layer": 0}
    assert resolve_first_layer(given, [table]) == given


# tasks


def test_only_correct_prompts_are_drawn_and_none_twice():
    labelled = pd.DataFrame({"a": range(30), "label": ["correct", "incorrect", "other"] * 10})
    drawn = sample_correct(labelled, 6, generator(4, "draw"))
    assert len(set(drawn["a"])) == 6
    assert (drawn["a"] % 3 == 0).all()
    assert sorted(sample_correct(labelled, 99, generator(4, "draw"))["a"]) == [*range(0, 30, 3)]


def test_answer_and_shuffled_share_their_split_and_their_answers():
    answer, shuffled = make_tasks(_answers(), ["answer", "shuffled"], 0.2, generator(5, "tasks"))
    np.testing.assert_array_equal(answer.train, shuffled.train)
    np.testing.assert_array_equal(answer.test, shuffled.test)
    assert sorted([*answer.train, *answer.test]) == list(range(N_PROMPTS))
    np.testing.assert_array_equal(answer.labels, _answers())
    np.testing.assert_array_equal(np.sort(shuffled.labels), np.sort(_answers()))
    assert (shuffled.labels == _answers()).mean() < 0.2


def test_held_out_answers_are_never_trained_on_and_frequent_ones_stay():
    answers = np.concatenate([np.zeros(100, dtype=np.int64), np.repeat(np.arange(1, 21), 5)])
    task = held_out_task(answers, 0.2, generator(6, "held"))
    assert not set(answers[task.train]) & set(answers[task.test])
    assert 0 in answers[task.train]
    assert len(task.test) == 40
    assert sorted([*task.train, *task.test]) == list(range(200))


def test_neighbours_below_and_above():
    found = neighbours(np.array([2, 5, 9]), np.array([0, 3, 7, 12]))
    assert found.tolist() == [[2, 2], [2, 5], [5, 9], [9, 9]]
    assert neighbours(np.array([], dtype=int), np.array([4])).tolist() == [[-1, -1]]


def test_what_counts_as_right_and_the_best_constant():
    labels = np.array([1, 1, 3, 2, 2, 4])
    task = ProbeTask(
        "held_out", labels, np.array([0, 1, 2]), np.array([3, 4, 5]),
        np.array([[1, 3], [1, 3], [3, 3]]),
    )  # fmt: skip
    right = task.is_right(np.array([[1, 3, 3], [2, 2, 4]]))
    assert right.tolist() == [[True, True, True], [False, False, False]]
    assert task.chance == 1.0
    blind = ProbeTask("answer", labels, task.train, task.test, np.array([[2, 2], [2, 2], [4, 4]]))
    assert blind.chance == 0.0


def test_a_number_line_is_followed_to_answers_never_trained_on():
    # (n, n^2) on a parabola: each number is the argmax of a linear score, neighbours come next
    answers = generator(7, "line").integers(0, N_NUMBERS, 600)
    scaled = answers / 10 - 1
    x = np.stack([scaled, scaled**2], axis=1)[:, None, None].astype(np.float32)
    noise = generator(8, "line").normal(size=x.shape).astype(np.float32)
    options = {"positions": ["equals"], "n_layers": 1, "d_model": 2, "variants": ["held_out"],
               "settings": ProbeSettings(epochs=60, learning_rate=0.3)}  # fmt: skip
    on_line = _probe(x, answers, **options).iloc[0]
    elsewhere = _probe(noise, answers, **options).iloc[0]
    assert on_line["accuracy"] > 0.9
    assert elsewhere["accuracy"] < on_line["chance"] + 0.1 < 0.7


# training


def test_training_agrees_with_autograd():
    rng = generator(9, "autograd")
    x = torch.from_numpy(rng.normal(size=(2, 50, 6)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(0, 4, 50))
    settings = ProbeSettings(epochs=3, learning_rate=0.01, batch=16)
    order = batch_order(50, settings.epochs, rng)
    weight, bias = train_probes(x, labels, 4, order, settings)
    for probe in range(2):
        layer = torch.nn.Linear(6, 4)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        for epoch in order:
            for start in range(0, 50, 16):
                rows = epoch[start : start + 16]
                loss = torch.nn.functional.cross_entropy(layer(x[probe, rows]), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        torch.testing.assert_close(weight[probe], layer.weight.detach().T, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(bias[probe, 0], layer.bias.detach(), atol=1e-4, rtol=1e-3)


def test_every_epoch_is_an_order_of_all_training_rows():
    order = batch_order(7, 3, generator(10, "order"))
    assert order.shape == (3, 7)
    assert (np.sort(order, axis=1) == np.arange(7)).all()
    assert (order[0] != order[1]).any()


def test_standardized_over_training_prompts_only():
    x = torch.tensor([[[1.0, 5.0], [3.0, 5.0], [9.0, 5.0]]])
    scaled = standardized(x, torch.tensor([0, 1]))
    torch.testing.assert_close(scaled[0, :, 0], torch.tensor([-1.0, 1.0, 7.0]))
    assert (scaled[0, :, 1] == 0).all()


def test_standardizing_reads_what_is_too_small_for_the_step():
    answers = _answers()
    small = _residuals(answers) * 1e-3
    plain, scaled = (
        _cells(
            _probe(small, answers, variants=["answer"], settings=ProbeSettings(
                epochs=10, learning_rate=3e-3, standardize=standardize)),
            "answer",
        )[READABLE]
        for standardize in (False, True)
    )  # fmt: skip
    assert scaled > 0.9 > plain
