"""Numbers in words."""

import pytest

from pipeline_lib.findings import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "100 %"),
        (0.99996, "> 99.9 %"),
        (0.9898, "99.0 %"),
        (0.0, "0 %"),
        (0.0002, "< 0.1 %"),
        (float("nan"), "–"),
    ],
)
def test_only_all_is_called_all_and_only_nothing_nothing(value, text):
    assert words.percent(value) == text


@pytest.mark.parametrize(
    ("found", "total", "text"),
    [
        (0, 3, "none of the 3"),
        (2, 3, "2 of the 3"),
        (3, 3, "all 3"),
        (1, 1, "1 of the 1"),
        (0, 0, "none of the 0"),
    ],
)
def test_counts_say_all_only_of_all(found, total, text):
    assert words.counted(found, total) == text


def test_clauses_name_every_operator_once_and_no_verdict_that_nobody_has():
    verdicts = {"add": "yes", "sub": "no", "mul": "yes", "div": "unheard"}
    said = words.clauses(verdicts, {"no": "not in {}", "maybe": "perhaps in {}", "yes": "in {}"})
    assert said == "not in subtraction; in addition and multiplication"


def test_numbers_and_ranges():
    assert words.decimal(-0.126) == "−0.13"
    assert words.between(-0.2, 0.1, 1) == "[−0.2, 0.1]"
    assert words.spread([0.5, 0.2, 0.9]) == "0.20 to 0.90"
    assert words.percent_spread([0.5, 0.5]) == "50.0 %"
    assert [words.p_value(p) for p in (0.0004, 0.0123, float("nan"))] == ["< 0.001", "0.012", "–"]
    assert [words.listed(list(text)) for text in ("", "a", "ab", "abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
