"""The README's grid and table of figures against the catalogue."""

from PIL import Image

from docs.figures import SMALL, TILE, shown
from pipeline_lib.figures.catalog import (
    CHECKPOINT_FIGURES,
    DOCUMENTS,
    FIGURES,
    PAGES,
    PLANTED_FIGURES,
    STUDY_FIGURES,
)
from tests.project import ROOT

README = (ROOT / "README.md").read_text()


def test_the_grid_shows_every_figure_of_the_default_run():
    grid = README.split("<!-- grid:begin -->")[1].split("<!-- grid:end -->")[0]
    assert [name for name in shown() if f'src="docs/figures/{name}.png"' not in grid] == []
    assert {path.stem for path in SMALL.glob("*.png")} == set(shown())
    for path in SMALL.glob("*.png"):
        with Image.open(path) as image:
            assert image.size == TILE


def test_every_figure_table_and_page_has_a_row():
    rows = [line for line in README.splitlines() if line.startswith("| ")]
    named = " ".join(row.split(" | ")[0] for row in rows)
    figures = [*FIGURES, *CHECKPOINT_FIGURES, *STUDY_FIGURES, *PLANTED_FIGURES, *DOCUMENTS]
    assert [name for name in figures if f"`{name}`" not in named] == []
    assert [name for name in PAGES if f"{name}.html" not in named] == []
