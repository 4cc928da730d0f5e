"""The page of attention in the study of induction drift: what it holds, and in a browser."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.browse.induction import make
from pipeline_lib.browse.page import write_page
from pipeline_lib.induction.kinds import PATTERNS_KIND
from tests.browser import open_window
from tests.unit.browse.conftest import page_blocks, page_data, unpacked

LENGTHS = {"orders": 4, "repeated": 5}


def patterns(group):
    rng = np.random.default_rng(len(group))
    n = LENGTHS[group]
    weights = np.tril(rng.random((2, 2, 3, n, n)))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    axes = ("prompt", "layer", "head", "query", "key")
    names = {"orders": ["clumped", "mixed"], "repeated": ["random 1", "random 2"]}
    coords = {f"prompt_{group}": names[group] for group in names}
    for group, n in LENGTHS.items():
        coords[f"token_{group}"] = [f"w{i}" for i in range(2 * n)]
    arrays = {f"pattern_{g}": store.Array(patterns(g), axes) for g in names}
    paths = {name: str(folder / name) for name in ("patterns", "scores", "ablation")}
    store.write_artifact(
        paths["patterns"], PATTERNS_KIND, arrays, coords=coords, provenance={"params": {}}
    )
    cells = [(layer, head) for layer in range(2) for head in range(3)]
    scores = [
        (*cell, score, 0.1 * n, 0.0, 1.0)
        for score in ("induction", "previous", "same")
        for n, cell in enumerate(cells)
    ]
    columns = ["layer", "head", "score", "mean", "low", "high"]
    store.write_table(paths["scores"], pd.DataFrame(scores, columns=columns))
    sweep = [("zero", "drift", layer, f"head_{head}", 0.25, 0.2, 0.3) for layer, head in cells]
    columns = ["kind", "measure", "layer", "component", "effect", "low", "high"]
    store.write_table(paths["ablation"], pd.DataFrame(sweep, columns=columns))
    path = folder / "attention.html"
    write_page(make(paths), {"page": str(path)}, model="words", code="abc")
    return path


def test_every_pattern_is_in_the_page(page):
    blocks = page_blocks(page)
    assert set(blocks) == {f"{group}_{n}" for group in LENGTHS for n in range(2)}
    for group, n in LENGTHS.items():
        for prompt, layer, head in np.ndindex(2, 2, 3):
            block = blocks[f"{group}_{prompt}"]
            assert block["tokens"] == [f"w{i}" for i in range(prompt * n, (prompt + 1) * n)]
            found = unpacked(block["pictures"][layer][head], (n, n))
            hidden = np.triu(np.ones((n, n), dtype=bool), 1)
            assert np.isnan(found[hidden]).all()
            expected = patterns(group)[prompt, layer, head]
            np.testing.assert_allclose(found[~hidden], expected[~hidden], atol=3e-3)


def test_the_page_opens_at_the_head_with_the_largest_score(page):
    data = page_data(page)
    assert data["start"] == {"layer": "1", "head": "2"}
    assert data["overview"]["drift"] == [[0.25] * 3] * 2
    assert data["words"]["1_2"].startswith("induction score 0.500 [0.000, 1.000]")
    links = re.findall(r'<a href="([^"]+)"', page.read_text().split("</nav>")[0])
    assert links == ["attention.html", "../../report.html"]
    assert "nan" not in json.dumps(data).lower().split()


def test_a_prompt_and_a_head_are_chosen_in_a_browser(page):
    with open_window() as window:
        window.resize(1280, 900)
        window.open(page)
        assert window.text("#picture-name") == "L1H2, clumped order"
        window.choose("#prompt", "repeated_1")
        window.choose("#head", "0")
        assert window.text("#picture-name") == "L1H0, random 2 sequence"
        z = window.js("document.getElementById('picture').data[0].z")
        expected = patterns("repeated")[1, 1, 0]
        np.testing.assert_allclose(z[4], expected[4], atol=3e-3)
        assert z[0][1] is None
        assert "induction score 0.300" in window.text("#words")
        assert window.complaints == []
