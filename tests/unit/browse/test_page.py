"""Pages as files: everything inside, or parts beside them; nothing unescaped."""

import dataclasses
import html.parser
import re
from pathlib import Path

import pytest

from pipeline_lib.browse import page as pages
from pipeline_lib.browse.page import TITLES, number, to_script
from pipeline_lib.figures import catalog
from tests.unit.browse.conftest import MODEL, page_blocks, page_data

NAMES = list(TITLES)


class Parts(html.parser.HTMLParser):
    """Addresses of a page, ids, labels, and text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.labels, self.inputs, self.words = [], [], [], [], []
        self.loaded, self._inside = [], [""]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self._inside.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if tag == "a" else []
        self.labels += [attrs["for"]] if tag == "label" else []
        self.inputs += [attrs["id"]] if tag in ("select", "input") else []
        self.loaded += [attrs[k] for k in ("src", "href") if k in attrs and tag != "a"]

    def handle_data(self, data):
        if self._inside[-1] not in ("script", "style"):
            self.words.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole_and_loads_nothing_from_elsewhere(name, make, write):
    path = write(make(name))
    text = path.read_text()
    parts = Parts(text)
    assert set(parts.loaded) == {"data:,"}
    assert text.count("* plotly.js v") == 1
    assert not re.search(r"\$(\w+|{)", re.sub(r"(?s)<script>.*?</script>", "", text))
    assert [path.name for path in path.parent.glob(f"{name}_data/[!.]*")] == ["README.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_label_and_every_id_is_its_own(name, make, write):
    parts = Parts(write(make(name)).read_text())
    assert sorted(parts.labels) == sorted(parts.inputs)
    assert len(set(parts.ids)) == len(parts.ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_links_the_others_and_says_whose_it_is(name, make, write):
    parts = Parts(write(make(name)).read_text())
    expected = ["index.html", *(f"{other}.html" for other in TITLES), "../../../report.html"]
    assert parts.links == expected
    words = " ".join(parts.words)
    assert MODEL in words
    assert "code f00df00df00df00d" in words
    assert "data " in words


def test_names_are_escaped_everywhere(make, write):
    evil = "</script><script>alert(1)</script>"
    page = dataclasses.replace(make("ov"), about=evil, sources=[evil])
    page.data["evil"] = evil
    path = write(page)
    assert "<script>alert" not in path.read_text()
    assert page_data(path)["evil"] == evil
    assert page_data(path)["model"] == MODEL


def test_large_pages_lay_their_blocks_beside_themselves(make, write, monkeypatch):
    inside = write(make("neurons"))
    blocks = page_blocks(inside)
    monkeypatch.setattr(pages, "MAX_BYTES", len(inside.read_bytes()) - 100)
    beside = write(make("neurons"))
    assert "bagpipe.block(" not in beside.read_text().replace("function block(", "")
    files = {file.stem for file in beside.parent.glob("neurons_data/*.js")}
    assert files == set(blocks)
    assert page_blocks(beside) == blocks
    assert page_data(beside)["folder"] == "neurons_data"


def test_numbers_of_a_page_are_finite_or_nothing():
    assert number(1.2345678) == 1.2346
    assert number(float("nan")) is number(float("-inf")) is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_script({"value": float("nan")})


def test_the_pages_are_those_of_the_catalogue():
    assert tuple(TITLES) == catalog.PAGES


def test_every_template_is_used_by_a_page_of_the_library():
    library = Path(pages.__file__).parent
    code = "\n".join(file.read_text() for file in library.glob("*.py"))
    names = [file.name for file in (library / "templates").iterdir()]
    assert len(names) >= 12
    assert [name for name in names if f'"{name}"' not in code] == []
