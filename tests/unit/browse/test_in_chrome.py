"""The pages in a headless Chrome: what a user opens, chooses and reads, without a complaint."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.browse import page as pages
from pipeline_lib.browse.page import TITLES
from tests.browser import chrome, open_window
from tests.unit.browse.conftest import MODEL, attention_of, ov_of
from tests.unit.figures.conftest import k_map, prompts_of

ROWS = "[...document.querySelectorAll('#all tbody tr')].map((row) => row.innerText)"


@pytest.fixture(scope="module")
def browser():
    with open_window() as window:
        yield window


@pytest.fixture
def window(browser):
    """The tab at the size of a desktop; a test fails for any complaint of its page."""
    browser.complaints.clear()
    browser.resize(1280, 900)
    yield browser
    assert browser.complaints == []


@pytest.fixture(params=["inside", "beside"])
def gallery(request, make, write, monkeypatch):
    """The neuron gallery, with its parts in the page or in the folder beside it."""
    if request.param == "beside":
        monkeypatch.setattr(pages, "MAX_BYTES", 1_000)
    return write(make("neurons"))


def test_complaints_of_a_page_are_heard(browser, tmp_path):
    page = tmp_path / "bad.html"
    scripts = (
        "console.error('no')",
        "throw new Error('never')",
        "document.body.dataset.ready='yes'",
    )
    text = "".join(f"<script>{script}</script>" for script in scripts)
    page.write_text(f"<!doctype html><body>{text}<script src='missing.js'></script></body>")
    browser.complaints.clear()
    browser.open(page)
    for words in ('"no"', "never", "ERR_FILE_NOT_FOUND"):
        assert [text for text in browser.complaints if words in text], words
    assert len(browser.complaints) == 3


def z_of(window, plot):
    return np.array(window.js(f"document.getElementById('{plot}').data[0].z"), dtype=float)


def test_a_neuron_is_chosen_and_read(window, gallery):
    window.open(gallery)
    assert window.text("#neuron-name") == "L1 N5, addition (+)"
    assert MODEL in window.text("h1")
    window.choose("#neuron", "7")
    assert window.text("#neuron-name") == "L1 N7, addition (+)"
    assert window.text("#importance") == "0.4000"
    assert "result ≡ 0 (mod 2)\tmodulo\tKV, highest" in window.text("#matches")
    assert window.js("location.hash") == "#op=add&layer=1&neuron=7"
    assert window.js("document.title").startswith("addition (+), L1 N7")
    window.choose("#op", "sub")
    assert window.text("#neuron-name") == "L1 N5, subtraction (−)"


def test_the_drawn_map_holds_the_values_of_the_artifact(window, gallery):
    window.open(gallery, "#op=sub&layer=1&neuron=5")
    prompts = prompts_of("sub")
    found = z_of(window, "K")
    for a, b, value in zip(prompts["a"], prompts["b"], k_map("sub")[0], strict=True):
        assert found[b, a] == pytest.approx(value, abs=0.01)
    assert np.isnan(found).sum() == 100 - len(prompts)
    assert np.nanmax(z_of(window, "KV")) == pytest.approx(0.0, abs=0.01)


def test_a_deep_link_opens_its_neuron_and_links_lead_to_others(window, gallery):
    window.open(gallery, "#op=add&layer=2&neuron=3")
    assert window.text("#neuron-name") == "L2 N3, addition (+)"
    assert window.js("document.getElementById('neuron').value") == "3"
    assert window.js("document.querySelector('tr.chosen').innerText").startswith("L2 N3\taddition")
    window.js(
        "[...document.querySelectorAll('#all a')].find((a) => a.hash.includes('sub')).click()"
    )
    window.wait("document.getElementById('neuron-name').innerText.includes('subtraction')")
    window.settle()
    assert window.text("#notice") == ""


def test_a_deep_link_to_nothing_says_so(window, gallery):
    window.open(gallery, "#op=add&layer=2&neuron=999")
    assert "There is no neuron 999" in window.text("#notice")
    assert window.text("#neuron-name") == "L2 N3, addition (+)"
    window.open(gallery, "#<img src=x onerror=alert(1)>&op=<b>")
    assert "There is no op <b>" in window.text("#notice")


def test_an_operator_without_neurons_says_so(window, gallery):
    window.open(gallery, "#op=div")
    assert "division (÷): no correct prompts" in window.text("#empty")
    assert window.js("document.getElementById('neuron').disabled")
    assert not window.js("document.getElementById('neuron-view').checkVisibility()")
    window.choose("#op", "add")
    assert window.text("#empty") == ""
    assert window.js("document.getElementById('K').checkVisibility()")


def test_the_table_is_searched_filtered_and_sorted(window, gallery):
    window.open(gallery)
    assert [row.split("\t")[0] for row in window.js(ROWS)] == [
        "L1 N5", "L1 N5", "L2 N3", "L2 N4", "L1 N7", "L2 N4",
    ]  # fmt: skip
    window.type("#search", "mod 4")
    assert [row.split("\t")[0] for row in window.js(ROWS)] == ["L1 N7"]
    assert window.text("#count") == "1 of 1 neurons found (6 in all)"
    window.js("document.getElementById('search').value = ''")
    window.choose("#only-type", "none")
    assert [row.split("\t")[:2] for row in window.js(ROWS)] == [
        ["L2 N4", "addition (+)"], ["L2 N4", "subtraction (−)"],
    ]  # fmt: skip
    window.choose("#only-type", "")
    window.choose("#only-op", "add")
    window.choose("#only-layer", "1")
    assert len(window.js(ROWS)) == 2
    # sorted by importance at first, by rank after a press of Enter on its heading, then the reverse
    button = "document.querySelectorAll('#all th button')[2]"
    window.js(f"{button}.focus()")
    for way, first in (("ascending", "L1 N5"), ("descending", "L1 N7")):
        window.press("Enter")
        assert window.js(f"{button}.parentElement.ariaSort") == way
        assert window.js(ROWS)[0].startswith(first)


def test_prompts_of_a_heuristic_are_highlighted(window, gallery):
    window.open(gallery, "#op=sub&layer=1&neuron=5")
    window.choose("#mark", "op1_range_5_15")
    window.wait("document.getElementById('K').data.length === 2")
    veil = np.array(window.js("document.getElementById('K').data[1].z"), dtype=float)
    b, a = np.nonzero(veil == 1)
    assert set(a) == set(range(5))
    assert (b <= a).all()
    window.choose("#mark", "")
    window.wait("document.getElementById('K').data.length === 1")


def test_the_keyboard_reaches_and_moves_everything(window, gallery):
    window.open(gallery)
    reached = []
    for _ in range(20):
        window.press("Tab")
        reached.append(window.js("document.activeElement.id || document.activeElement.innerText"))
    assert reached[:6] == ["Overview", *TITLES.values(), "Report"][:6]
    order = ["op", "layer", "neuron", "previous", "next", "mark"]
    assert [name for name in reached if name in order] == order
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert window.js(outline) == "solid"
    window.js("document.getElementById('next').focus()")
    window.press("Enter")
    window.wait("document.getElementById('neuron-name').innerText === 'L1 N7, addition (+)'")
    window.settle()


def test_a_missing_part_is_said(window, make, write, monkeypatch):
    monkeypatch.setattr(pages, "MAX_BYTES", 1_000)
    path = write(make("neurons"))
    (path.parent / "neurons_data" / "add_1.js").unlink()
    window.open(path)
    assert "neurons_data/add_1.js is not there" in window.text("#notice")
    # the browser itself reports the file
    assert [text for text in window.complaints if "ERR_FILE_NOT_FOUND" not in text] == []
    window.complaints.clear()
    window.choose("#layer", "2")
    assert window.text("#neuron-name") == "L2 N3, addition (+)"


def test_effects_of_an_operator_and_position(window, make, write):
    window.open(write(make("effects")), "#op=sub&position=equals&scale=mean")
    assert window.text("#view-name") == "subtraction (−), at “=”"
    # 3 on all prompts with one seed and 6 with the other: a quarter of the resamples has one alone
    assert window.text("#ranked tbody tr") == "L2H1\t4.5\t[3, 6]\t1 of 9"
    assert z_of(window, "map")[2].tolist() == [0, 4.5, 0]
    window.choose("#scale", "log1p")
    assert z_of(window, "map")[2][1] == pytest.approx(np.log(5.5), abs=1e-3)
    window.choose("#op", "div")
    assert "no effect was measured" in window.text("#empty")


def test_attention_of_a_head(window, make, write):
    window.open(write(make("attention")), "#op=sub&layer=1&head=2&source=operand2")
    values = attention_of()[1, 1, 2, 3].astype(float)
    np.testing.assert_allclose(z_of(window, "picture").T, values, atol=0.003)
    assert f"mean {values.mean():.3f}" in window.text("#words")
    assert z_of(window, "overview")[1, 2] == pytest.approx(values.mean(), abs=1e-4)
    window.js(
        "document.getElementById('overview').emit('plotly_click', {points: [{x: '0', y: '0'}]})"
    )
    window.wait("location.hash.includes('layer=0&head=0')")
    window.settle()
    assert "L0H0" in window.text("#picture-name")
    assert window.js("document.getElementById('source').value") == "operand2"


def test_ov_map_of_a_head(window, make, write):
    window.open(write(make("ov")), "#layer=1&head=2")
    values = ov_of()[1, 2].astype(float)
    np.testing.assert_allclose(z_of(window, "picture"), values, atol=np.abs(values).max() / 200)
    start, end = np.unravel_index(values.argmax(), values.shape)
    assert window.text("#largest tbody tr") == f"{start}\t{end}\t{values.max():+.4g}"


@pytest.mark.parametrize("name", TITLES)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_the_window(window, make, write, name, width):
    window.resize(width, 800)
    window.open(write(make(name)))
    assert window.js("document.documentElement.scrollWidth") <= width
    plots = window.js(
        "[...document.querySelectorAll('.plot')].map((plot) => plot.getBoundingClientRect().width)"
    )
    assert min(plots) >= 300


@pytest.mark.parametrize(
    ("name", "files"), [("effects", ["effects"]), ("neurons", ["maps", "neurons", "matches"])]
)
def test_a_page_of_nothing_opens_and_says_so(window, study, make, write, name, files):
    inputs = {key: study(key, ["div"]) for key in files}
    window.open(write(make(name, inputs, ["div"])))
    assert "no correct prompts" in window.text("#empty")


def test_a_browser_with_all_its_rules_opens_the_page_from_disk(make, write, monkeypatch):
    """The devtools driver switches off some rules for files; here a plain Chrome has them."""
    monkeypatch.setattr(pages, "MAX_BYTES", 1_000)
    path = write(make("neurons"))
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        address = path.as_uri() + "#op=sub&layer=1&neuron=5"
        run = subprocess.run(
            [chrome(), *flags, "--virtual-time-budget=20000", "--dump-dom", address],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
    assert '<h2 id="neuron-name">L1 N5, subtraction (−)</h2>' in run.stdout
    assert 'data-ready="yes"' in run.stdout
    assert Path(path).with_name("neurons_data").is_dir()
