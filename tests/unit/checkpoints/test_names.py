"""Order and labels of checkpoints."""

import pytest

from pipeline_lib.checkpoints.names import FINAL, in_training_order, tick_labels


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["step910", "step65", "step0"], ["step0", "step65", "step910"]),
        (["epoch2-step100", "epoch1-step900"], ["epoch2-step100", "epoch1-step900"]),
        (["10", "9"], ["9", "10"]),
        (["late", "step5", "early"], ["late", "step5", "early"]),
        ([], []),
    ],
)
def test_checkpoints_are_ordered_by_their_last_number_where_all_have_one(names, ordered):
    assert in_training_order(names) == tuple(ordered)


@pytest.mark.parametrize(
    ("names", "labels", "of_what"),
    [
        (["step0", "step65"], ["0", "65"], "step"),
        (["ckpt-10", "ckpt-20"], ["10", "20"], "ckpt"),
        (["step0", "tokens65"], ["step0", "tokens65"], "checkpoint"),
        (["early", "late"], ["early", "late"], "checkpoint"),
        (["v1.2", "v1.3"], ["v1.2", "v1.3"], "checkpoint"),
        ([], [], "checkpoint"),
    ],
)
def test_labels_are_numbers_where_the_names_differ_in_nothing_else(names, labels, of_what):
    assert tick_labels([*names, FINAL]) == ([*labels, FINAL], of_what)
