"""Pages of attention and of OV maps: what they hold, computed again from the arrays."""

import numpy as np
import pytest

from pipeline_lib.measures.attention import SOURCES
from tests.unit.browse.conftest import (
    N_HEADS,
    N_LAYERS,
    SIZE,
    attention_of,
    ov_of,
    page_blocks,
    page_data,
    unpacked,
)
from tests.unit.figures.conftest import OPERATORS

PLANE = (SIZE, SIZE)


def test_attention_pictures_and_means(make, write):
    blocks = page_blocks(write(make("attention")))
    values = attention_of().astype(float)
    layers = {f"{operator}_{layer}" for operator in OPERATORS for layer in range(N_LAYERS)}
    assert set(blocks) == layers | {f"{operator}_means" for operator in OPERATORS}
    for o, layer, head, s in np.ndindex(*values.shape[:4]):
        picture = values[o, layer, head, s]
        shown = blocks[f"{OPERATORS[o]}_{layer}"]["pictures"][SOURCES[s]][head]
        found = unpacked(shown, PLANE)
        # operand 2 along the rows
        np.testing.assert_allclose(found.T, picture, atol=np.ptp(picture) / 500)
        assert shown["words"].startswith(f"mean {picture.mean():.3f}, from {picture.min():.3f}")
        mean = blocks[f"{OPERATORS[o]}_means"][SOURCES[s]][layer][head]
        assert mean == pytest.approx(picture.mean(), rel=1e-4)


def test_attention_page_offers_what_the_artifact_holds(make, write):
    data = page_data(write(make("attention")))
    assert [name for name, _ in data["operators"]] == OPERATORS
    assert [name for name, _ in data["sources"]] == [*SOURCES[1:], SOURCES[0]]
    assert data["heads"] == list(range(N_HEADS))


def test_attention_preview_is_the_head_that_varies_most(make):
    figure = make("attention").preview
    values = attention_of()[0, :, :, SOURCES.index("operand1")].astype(float)
    spread = values.std(axis=(2, 3))
    layer, head = np.unravel_index(spread.argmax(), spread.shape)
    assert f"L{layer}H{head}:" in figure["layout"]["title"]["text"]
    np.testing.assert_allclose(np.array(figure["data"][0]["z"]).T, values[layer, head], rtol=1e-4)


def test_ov_maps_and_their_strongest_pairs(make, write):
    path = write(make("ov"))
    blocks, values = page_blocks(path), ov_of().astype(float)
    for layer, head in np.ndindex(N_LAYERS, N_HEADS):
        shown = blocks[f"layer_{layer}"]["heads"][head]
        logits = values[layer, head]
        top = np.abs(logits).max()
        np.testing.assert_allclose(unpacked(shown, PLANE), logits, atol=top / 250)
        pairs = sorted(np.ndindex(*PLANE), key=lambda pair: -logits[pair])
        assert [tuple(map(int, row[:2])) for row in shown["largest"]] == pairs[:15]
        lowest = [logits[int(start), int(end)] for start, end, _ in shown["smallest"]]
        assert lowest == sorted(logits.ravel())[:15]
        assert shown["smallest"][0][2] == f"{logits.min():+.4g}"
        assert page_data(path)["tops"][layer][head] == pytest.approx(top, rel=1e-4)
    copying = blocks["layer_1"]["heads"][2]["words"]
    assert f"for {SIZE} of {SIZE} numbers the largest logit is their own" in copying


def test_ov_page_says_what_the_maps_start_from(make):
    assert "Maps start from the number's embedding." in make("ov").about
    assert "L1H2" in make("ov").preview["layout"]["title"]["text"]
