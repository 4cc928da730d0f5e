"""docs/findings.md is a page that today's template writes, and its figures are there."""

import re

from PIL import Image

from docs.findings import FIGURES, PAGE, WIDTH, relinked
from pipeline_lib.findings.page import template

TEXT = PAGE.read_text(encoding="utf-8")


def words_of(text):
    """Lines of prose that no run changes."""
    fixed = [line for line in text.splitlines() if line and "$" not in line]
    return [line for line in fixed if not line.startswith(("![", "*", "|"))]


def test_its_structure_is_the_templates():
    lines = set(TEXT.splitlines())
    assert [line for line in words_of(template()) if line not in lines] == []
    pattern = re.compile(r"^##? .*$", flags=re.M)
    wanted = [line.replace("$model", "tiny-arith") for line in pattern.findall(template())]
    assert pattern.findall(TEXT) == wanted


def test_its_figures_are_small_copies_beside_it():
    links = re.findall(r"!\[(\w+)\]\(([^)]+)\)", TEXT)
    assert 4 <= len(links) <= 6
    assert {f"{name}.png" for name, _ in links} == {path.name for path in FIGURES.glob("*.png")}
    for name, link in links:
        path = PAGE.parent / link
        assert path == FIGURES / f"{name}.png"
        with Image.open(path) as image:
            assert image.width <= WIDTH
        assert path.stat().st_size < 200_000


def test_links_are_turned_to_the_small_copies_and_nothing_else_is():
    page = "text (a.png)\n\n![fig](fig.png)\n*A caption.* `fig`\n"
    assert relinked(page) == page.replace("](fig.png)", "](figures/findings/fig.png)")


def test_it_is_linked_from_the_readme():
    readme = (PAGE.parents[1] / "README.md").read_text()
    assert "(docs/findings.md)" in readme.split("<!-- grid:begin -->")[0]
