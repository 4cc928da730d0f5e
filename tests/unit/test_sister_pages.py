"""The pages of the sister studies in docs/: findings of a run between their markers."""

import re

import pytest
from PIL import Image

from docs.findings import MARKERS, ROOT, SISTERS, WIDTH, as_part, between_markers, relinked


def test_only_what_stands_between_the_markers_is_replaced():
    page = f"# A\n\n{MARKERS[0]}\nold\n{MARKERS[1]}\nafter\n"
    found = between_markers(page, "new\n")
    assert found == f"# A\n\n{MARKERS[0]}\nnew\n{MARKERS[1]}\nafter\n"
    assert between_markers(found, "new") == found


def test_headings_move_one_rank_down_and_links_to_the_copies():
    text = as_part("# A\ntext # no heading\n## B\n![fig](fig.png)\n")
    assert text.startswith("## A\ntext # no heading\n### B\n")
    folder = ROOT / "docs" / "figures" / "bayes"
    assert "![fig](figures/bayes/fig.png)" in relinked(text, folder)


@pytest.mark.parametrize("study", SISTERS)
def test_a_page_holds_findings_and_small_copies_of_its_figures(study):
    page = (ROOT / "docs" / f"{study}.md").read_text(encoding="utf-8")
    part = page.split(MARKERS[0])[1].split(MARKERS[1])[0]
    assert SISTERS[study] in part
    links = re.findall(r"!\[(\w+)\]\(([^)]+)\)", part)
    copies = {path.name for path in (ROOT / "docs" / "figures" / study).glob("*.png")}
    assert {f"{name}.png" for name, _ in links} == copies != set()
    for _, link in links:
        with Image.open(ROOT / "docs" / link) as image:
            assert image.width <= WIDTH
        assert (ROOT / "docs" / link).stat().st_size <= 250_000
