"""Static pictures of a model's pages, and the overview that shows and links them."""

import base64
import logging
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from choreographer.browsers.chromium import Chromium

from pipeline_lib import store
from pipeline_lib.browse.page import INDEX, TITLES, page_links, read_template

WIDTH, HEIGHT = 640, 700  # pixels
NO_CHROME = (
    "No Chrome or Chromium was found, so there are no pictures here. The pages themselves need "
    "none of this.\nTo get pictures: install chromium or google-chrome, or run "
    "plotly_get_chrome, or set BROWSER_PATH to one; delete this folder and run snakemake again."
)
NO_PICTURES = "There are no pictures here; the file snapshots/README.txt says why."
DESCRIPTIONS = {
    "effects": "Indirect effect of every head and MLP at every position, with intervals and ranks.",
    "attention": 'What every head attends to from "=", over all pairs of operands.',
    "ov": "What every head writes when it attends to a number, with the strongest pairs.",
    "neurons": "K and KV map of every top neuron, its heuristics and numbers; a table to search.",
}

logger = logging.getLogger(__name__)


def take_snapshots(previews: Mapping[str, dict[str, Any]], folder: Path) -> dict[str, Path]:
    """Draw the preview (a Plotly figure) of every page to a PNG in the folder, in one go.

    Without a Chrome, or with one that fails, there are no pictures: the folder then holds
    README.txt, which says why, and so does the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.png" for name in previews}
    problem = "" if Chromium.find_browser(skip_local=False) else NO_CHROME
    if not problem:
        try:
            _draw(list(previews.values()), [str(file) for file in files.values()])
        except Exception as error:  # any failure of a foreign browser: pictures are an extra
            logger.info("the browser failed", exc_info=True)
            problem = f"Chrome was found, but made no pictures ({type(error).__name__}: {error})."
    if not problem:
        return files
    logger.warning(problem)
    for file in files.values():
        file.unlink(missing_ok=True)
    with store.atomic_path(folder / "README.txt") as temporary:
        temporary.write_text(f"{problem}\n", encoding="utf-8")
    return {}


def _draw(figures: list[dict[str, Any]], files: list[str]) -> None:
    from plotly import io

    io.defaults.mathjax = None
    paths: list[str | Path] = [*files]
    io.write_images(figures, paths, width=WIDTH, height=HEIGHT, validate=False)


def write_overview(
    path: str, pages: Sequence[str], snapshots: Mapping[str, Path], *, model: str
) -> None:
    """Write the page that links all pages, with the pictures there are inside it."""
    entries = "".join(_entry(name, snapshots.get(name)) for name in TITLES if name in pages)
    if not snapshots:
        entries = f'<p class="notice">{NO_PICTURES}</p>{entries}'
    text = Template(read_template("overview.html")).substitute(
        model=escape(model),
        links=page_links(INDEX),
        style=read_template("style.css"),
        entries=entries,
        script=read_template("overview.js"),
    )
    with store.atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _entry(name: str, picture: Path | None) -> str:
    title, words = escape(TITLES[name]), escape(DESCRIPTIONS[name])
    link = f'<a href="{name}.html">{title}</a>'
    image = ""
    if picture is not None:
        code = base64.b64encode(picture.read_bytes()).decode()
        image = f'<img src="data:image/png;base64,{code}" alt="One view of the page: {title}">'
    return f"<figure><h2>{link}</h2><figcaption>{words}</figcaption>{image}</figure>\n"
