"""A page: what it shows, its data, and how it becomes a file.

Everything lies in the one HTML file, Plotly too, as long as that stays below ``MAX_BYTES``; of a
larger page the blocks (pictures, mostly) lie in a folder beside it, and the page loads one when it
is needed. A block is a script, because a page opened from disk may load scripts but fetch nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from jaxtyping import Float
from plotly.offline import get_plotlyjs

from pipeline_lib import store

MAX_BYTES = 20_000_000
TITLES = {
    "effects": "Indirect effects",
    "attention": "Attention",
    "ov": "OV maps",
    "neurons": "Neuron gallery",
}
"""Title of every page, in the order of the links; a page lies in ``{name}.html``."""
INDEX = "index.html"
REPORT = "../../../report.html"  # from figs/arithmetic/{model}/browse
FOLDER = "{name}_data"
NOTE = """What the page beside this folder loads when it is needed, a script for each part.
An empty folder: the page holds everything itself. Keep the two together when you move them.
"""

Block = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Page:
    """What a page shows. ``body`` and ``script`` are HTML and JavaScript of its own."""

    name: str
    about: str
    """One line: what is shown, in which units."""
    sources: list[str]
    body: str
    script: str
    data: dict[str, Any]
    """What the page reads when it opens, JSON values."""
    preview: dict[str, Any]
    """Plotly figure of a representative view."""
    blocks: Iterable[Block] = field(default_factory=list)
    """Parts that are needed one at a time: a name of letters, digits and "_", and JSON values."""
    title: str = ""
    """Title of the page, where it is none of `TITLES`."""
    links: Mapping[str, str] | None = None
    """Addresses and titles of the links above the page; None: the pages of the arithmetic study."""


def read_template(name: str) -> str:
    """Text of a file in ``templates/``."""
    return (files("pipeline_lib.browse") / "templates" / name).read_text(encoding="utf-8")


def write_page(page: Page, outputs: Mapping[str, str], *, model: str, code: str) -> None:
    """Write a page to "page", its blocks to the folder "data" if they are many, its preview.

    Without "data" all blocks lie in the page; without "preview" there is none. ``code``
    is the fingerprint of the code. Raises DiskError when a folder cannot be written.
    """
    frame = _frame(page, model, code)
    room = MAX_BYTES - len(frame.encode())
    inline = "".join(_inline_blocks(page, outputs, room))
    with store.atomic_path(outputs["page"]) as temporary:
        temporary.write_text(frame.replace(_BLOCKS, inline), encoding="utf-8")
    if "preview" in outputs:
        store.write_json(outputs["preview"], page.preview)


_BLOCKS = "<!-- blocks -->"


def _frame(page: Page, model: str, code: str) -> str:
    """The whole page, with ``_BLOCKS`` where its blocks belong."""
    title = page.title or TITLES[page.name]
    data = page.data | {"title": title, "model": model, "folder": _folder(page)}
    return Template(read_template("page.html")).substitute(
        title=escape(title),
        model=escape(model),
        about=escape(page.about),
        sources="".join(f"<li>{escape(source)}</li>" for source in page.sources),
        code=escape(code),
        links=page_links(f"{page.name}.html", page.links),
        style=read_template("style.css"),
        body=page.body,
        data=to_script(data),
        plotly=get_plotlyjs(),
        common=read_template("common.js"),
        blocks=_BLOCKS,
        script=page.script,
    )


def _folder(page: Page) -> str:
    return FOLDER.format(name=page.name)


def page_links(current: str, links: Mapping[str, str] | None = None) -> str:
    """Items of a list of links, one of them ``current``.

    Without ``links``: to all pages of the arithmetic study's model and to the report.
    """
    pages = {f"{name}.html": title for name, title in TITLES.items()}
    links = {INDEX: "Overview", **pages, REPORT: "Report"} if links is None else links
    return "".join(
        f'<li><a href="{href}"{_mark(href == current)}>{escape(title)}</a></li>'
        for href, title in links.items()
    )


def _mark(is_current: bool) -> str:
    return ' aria-current="page"' if is_current else ""


def _inline_blocks(page: Page, outputs: Mapping[str, str], room: int) -> Iterator[str]:
    """Scripts of the blocks, if there is room for all; else none, and files of all of them.

    No more than ``room`` and one block are held in memory.
    """
    if "data" not in outputs:
        yield from (f"<script>{_script(*block)}</script>\n" for block in page.blocks)
        return
    folder = Path(outputs["data"])
    _write_text(folder / "README.txt", NOTE)
    held: dict[str, str] = {}
    size = 0
    for name, content in page.blocks:
        held[name] = _script(name, content)
        size += len(held[name])
        if size > room:
            for key in list(held):
                _write_text(folder / f"{key}.js", held.pop(key))
    yield from (f"<script>{text}</script>\n" for text in held.values())


def _script(name: str, content: Mapping[str, Any]) -> str:
    return f"bagpipe.block({to_script(name)}, {to_script(content)});\n"


def _write_text(path: Path, text: str) -> None:
    with store.atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_script(content: Any) -> str:
    """JSON that can stand inside a script element; ValueError for NaN and infinite numbers."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def number(value: float) -> float | None:
    """A number with five digits for a page, None if it is not finite."""
    short = float(f"{value:.5g}")
    return short if abs(short) < float("inf") else None


def numbers(values: Float[np.ndarray, "row column"]) -> list[list[float | None]]:
    """Rows of such numbers."""
    return [[number(value) for value in row] for row in values.tolist()]
