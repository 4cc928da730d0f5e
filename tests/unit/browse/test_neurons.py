"""Neuron gallery: what the page holds, computed again from the study's definition."""

import numpy as np
import pytest

from tests.unit.browse.conftest import decoded, page_blocks, page_data, unpacked
from tests.unit.figures.conftest import NEURONS, k_map, prompts_of, value_logits

PLANE = (10, 10)


@pytest.fixture
def path(make, write):
    return write(make("neurons"))


def on_plane(operator, values):
    """Values of prompts [b, a] by looking up every place."""
    prompts = prompts_of(operator)
    table = {(a, b): v for a, b, v in zip(prompts["a"], prompts["b"], values, strict=True)}
    return np.array([[table.get((a, b), np.nan) for a in range(10)] for b in range(10)])


@pytest.mark.parametrize("operator", ["add", "sub"])
def test_maps_are_those_of_the_artifact(path, operator):
    blocks = page_blocks(path)
    answers = prompts_of(operator)["answer"].to_numpy()
    for place, (layer, neuron, _, _) in enumerate(NEURONS[operator]):
        shown = blocks[f"{operator}_{layer}"]["neurons"][str(neuron)]
        k = k_map(operator)[place]
        kv = k * value_logits(operator)[place][answers]
        for name, values in (("K", k), ("KV", kv)):
            found = unpacked(shown[name], PLANE)
            atol = np.abs(values).max() / 254 * 1.001
            np.testing.assert_allclose(found, on_plane(operator, values), rtol=0, atol=atol)


def test_each_operator_and_layer_with_neurons_has_a_block(path):
    blocks = page_blocks(path)
    assert set(blocks) == {"add_1", "add_2", "sub_1", "sub_2"}
    assert set(blocks["add_1"]["neurons"]) == {"5", "7"}
    assert blocks["add_1"]["x"] == blocks["add_1"]["y"] == [0, 10]


def test_words_about_a_neuron(path):
    blocks = page_blocks(path)
    shown = blocks["add_1"]["neurons"]["7"]
    assert shown["importance"] == "0.4000"
    assert shown["rank"] == "2 of the 2 shown of its layer"
    assert shown["promoted"].startswith("0 (+1.00), 2 (+1.00), 4 (+1.00)")
    assert shown["suppressed"].startswith("1 (-1.00), 3 (-1.00)")
    assert shown["promoted"].count(",") == 9
    # best first by chance-corrected score
    assert [match[1] for match in shown["matches"]] == ["result ≡ 0 (mod 2)", "result ≡ 0 (mod 4)"]
    assert shown["matches"][1][3:] == ["KV, highest", "0.700", "0.25", "0.600"]
    lowest = blocks["add_2"]["neurons"]["3"]["matches"][0]
    assert lowest[2:4] == ["same operands", "K, lowest"]
    # a heuristic of every prompt has no corrected score
    assert blocks["add_1"]["neurons"]["5"]["matches"][-1][-1] == "–"
    assert blocks["add_2"]["neurons"]["4"]["matches"] == []


def test_members_of_the_matched_heuristics(path):
    members = page_blocks(path)["sub_1"]["members"]
    assert set(members) == {"op1_range_5_15"}
    codes = decoded(members["op1_range_5_15"], PLANE)
    for b, a in np.ndindex(*PLANE):
        expected = 0 if b > a else 1 if a >= 5 else 2
        assert codes[b, a] == expected


def test_rows_of_the_table(path):
    data = page_data(path)
    rows = {tuple(row[:3]): row[3:] for row in data["rows"]}
    assert len(data["rows"]) == len(rows) == sum(map(len, NEURONS.values()))
    best = rows[("add", 1, 7)]
    assert best[:9] == [2, 0.4, "0.4000", "result ≡ 0 (mod 2)", 1.0, "1.00", 1.0, "1.00", 2]
    assert best[9:] == ["modulo", "l1 n7 result ≡ 0 (mod 2); result ≡ 0 (mod 4)"]
    nothing = rows[("sub", 2, 4)]
    assert nothing[3:9] == ["", None, "–", None, "–", 0]
    # matches of other kinds of maps do not count
    assert rows[("add", 1, 5)][8] == 2


def test_the_preview_is_the_most_important_neuron_with_a_match(make):
    figure = make("neurons").preview
    assert figure["layout"]["title"]["text"] == "addition (+), L1 N5: operand 1 in [5, 15)"
    found = np.array(figure["data"][0]["z"], dtype=float)
    np.testing.assert_array_equal(found, on_plane("add", k_map("add")[0]))


def test_no_neuron_at_all_is_said(make, study, write):
    inputs = {name: study(name, ["div"]) for name in ("maps", "neurons", "matches")}
    page = make("neurons", inputs, ["div"])
    assert "no neuron was analysed" in str(page.preview)
    path = write(page)
    assert page_data(path)["rows"] == []
    assert page_blocks(path) == {}
