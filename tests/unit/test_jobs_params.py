"""What changed among params, of which the values of then have no names."""

import pytest

from pipeline_lib.jobs.params import Change, changes

THRESHOLD = "config arithmetic.heuristics.threshold"
KEYS = {
    "threshold": {"": "arithmetic.heuristics.threshold"},
    "settings": {"seed": "arithmetic.probe.seed", "sizes": "arithmetic.probe.sizes"},
}


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (["0.6"], {"threshold": "0.55"}, [(THRESHOLD, "0.6", "0.55")]),
        (["0.6"], {"threshold": "0.6"}, []),
        # the other param with the same value stays what it was
        (["0.6", "0.6"], {"a": "0.6", "threshold": "0.5"}, [(THRESHOLD, "0.6", "0.5")]),
        # of two values, each is compared with its like
        (
            ["'0123456789abcdef'", "'mean'"],
            {"code": "'ffff456789abcdef'", "kind": "'zero'"},
            [
                ("param code", "0123456789abcdef", "ffff456789abcdef"),
                ("param kind", "mean", "zero"),
            ],
        ),
        (
            ["{'seed': 1, 'sizes': {'x': 1, 'y': [1, 2]}}", "{'dtype': 'float32'}"],
            {
                "settings": "{'seed': 2, 'sizes': {'x': 1, 'y': [1, 3]}}",
                "model": "{'dtype': 'bfloat16'}",
            },
            [
                ("config arithmetic.probe.seed", "1", "2"),
                ("config arithmetic.probe.sizes.y", "[1, 2]", "[1, 3]"),
                ("param model.dtype", "float32", "bfloat16"),
            ],
        ),
        (
            ["{'seed': 1}"],
            {"settings": "{'seed': 1, 'sizes': 3}"},
            [("config arithmetic.probe.sizes", None, "3")],
        ),
        (
            ["{'a': 1, 'b': 2}"],
            {"x": "{'b': 2, 'a': 1}"},
            [("param x", "another order", "this order")],
        ),
        ([], {"threshold": "0.5"}, [(THRESHOLD, None, "0.5")]),
        (["7", "0.5"], {"threshold": "0.5"}, [("a param", "7", None)]),
        # a truth value is no number
        (
            ["True", "1"],
            {"x": "0", "y": "False"},
            [("param x", "1", "0"), ("param y", "True", "False")],
        ),
    ],
)
def test_names_what_differs(before, now, found):
    assert changes(before, now, KEYS) == [Change(*one) for one in found]


def test_long_values_are_cut():
    (change,) = changes([repr("a" * 500)], {"text": repr("b" * 500)}, {})
    assert change.before.endswith("...")
    assert len(change.before) == 60
