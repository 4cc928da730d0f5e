"""Static previews: pictures with a Chrome, a plain word without one, never a failure."""

import base64

import pytest

from pipeline_lib.browse import plots, snapshots
from pipeline_lib.browse.page import TITLES
from pipeline_lib.browse.snapshots import take_snapshots, write_overview
from tests.browser import chrome, open_window


@pytest.fixture
def previews(make):
    return {name: make(name).preview for name in TITLES}


def test_without_a_chrome_it_is_said_where_one_comes_from(previews, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(snapshots.Chromium, "find_browser", lambda **_: None)
    assert take_snapshots(previews, tmp_path / "snapshots") == {}
    assert [file.name for file in (tmp_path / "snapshots").glob("[!.]*")] == ["README.txt"]
    assert "install chromium" in (tmp_path / "snapshots" / "README.txt").read_text()
    assert "No Chrome" in caplog.text
    write_overview(str(tmp_path / "index.html"), list(previews), {}, model="<i>m")
    text = (tmp_path / "index.html").read_text()
    assert "snapshots/README.txt says why" in text
    assert "<img" not in text
    assert "&lt;i&gt;m" in text
    assert all(f'href="{name}.html"' in text for name in TITLES)


def test_a_chrome_that_fails_stops_nothing(previews, tmp_path, monkeypatch, caplog):
    broken = tmp_path / "chrome"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(broken))
    assert take_snapshots(previews, tmp_path / "snapshots") == {}
    assert "made no pictures" in (tmp_path / "snapshots" / "README.txt").read_text()
    assert "made no pictures" in caplog.text


def test_the_overview_inside_the_report_offers_no_dead_links(tmp_path):
    write_overview(str(tmp_path / "index.html"), list(TITLES), {}, model="m")
    page = base64.b64encode((tmp_path / "index.html").read_bytes()).decode()
    links = "document.querySelectorAll('a[href]').length"
    with open_window() as window:
        window.open(tmp_path / "index.html")
        assert window.js(links) == 2 * len(TITLES) + 2
        assert not window.js("document.getElementById('embedded').checkVisibility()")
        window.command("Page.navigate", url=f"data:text/html;base64,{page}")
        window.wait("location.protocol === 'data:' && document.body?.dataset.ready === 'yes'")
        assert window.js(links) == 0
        assert "description of this entry" in window.text("#embedded")
        assert window.complaints == []


def test_every_page_gets_a_picture(previews, tmp_path):
    chrome()
    found = take_snapshots(previews | {"effects": plots.message("nothing")}, tmp_path / "snapshots")
    assert set(found) == set(TITLES)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found.values())
    write_overview(str(tmp_path / "index.html"), list(previews), found, model="m")
    with open_window() as window:
        window.open(tmp_path / "index.html")
        sizes = "[...document.images].map((image) => image.naturalWidth)"
        assert window.js(sizes) == [snapshots.WIDTH] * len(TITLES)
        assert window.complaints == []
