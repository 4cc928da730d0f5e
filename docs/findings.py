"""The default run's page of findings as docs/findings.md, with small copies of its figures.

What a sister study found goes between two marks of its own page. After a run: python -m
docs.findings (all that was run), or with the names of pages: python -m docs.findings power
"""

import re
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "figs" / "arithmetic" / "tiny-arith"
PAGE = ROOT / "docs" / "findings.md"
FIGURES = ROOT / "docs" / "figures" / "findings"
WIDTH, COLOURS = 1100, 128
"""Pixels and colours of a small copy."""
MARKS = "<!-- findings:begin -->", "<!-- findings:end -->"
MODELS = {"odd_one_out": "smollm2-135m", "power": "smollm2-135m"}
"""Sister studies whose page has a part that a run wrote, with the built-in model of each."""
LINK = re.compile(r"!\[(\w+)\]\(\w+\.png\)")


def shrink(source: Path, target: Path) -> None:
    """A copy that is at most ``WIDTH`` pixels wide, with the rare colours of heat maps too."""
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail((WIDTH, 2 * WIDTH), Image.Resampling.LANCZOS)
    few = small.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
    few.save(target, optimize=True)


def relinked(text: str, folder: Path = FIGURES) -> str:
    """The page with its figures where the small copies lie."""
    return LINK.sub(rf"![\1]({folder.relative_to(PAGE.parent).as_posix()}/\1.png)", text)


def copy_figures(text: str, run: Path, folder: Path) -> None:
    """Small copies of the figures that a page links to, and no others."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for name in LINK.findall(text):
        shrink(run / f"{name}.png", folder / f"{name}.png")


def page_of(study: str) -> tuple[Path, Path]:
    """A study's page and the folder of its small figures."""
    return ROOT / "docs" / f"{study}.md", ROOT / "docs" / "figures" / study


def between(page: str, part: str) -> str:
    """A page with what stands between its marks replaced."""
    before, rest = page.split(MARKS[0])
    return f"{before}{MARKS[0]}\n{part.strip()}\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def renew_study(study: str, model: str) -> None:
    """Renew a sister study's part of its page, where it was run."""
    run, (page, folder) = ROOT / "figs" / study / model, page_of(study)
    if (run / "findings.md").exists():
        text = (run / "findings.md").read_text(encoding="utf-8")
        copy_figures(text, run, folder)
        whole = between(page.read_text(encoding="utf-8"), relinked(text, folder))
        page.write_text(whole, encoding="utf-8")


def renew_arithmetic() -> None:
    """Renew the page of arithmetic, where it was run."""
    if (RUN / "findings.md").exists():
        text = (RUN / "findings.md").read_text(encoding="utf-8")
        copy_figures(text, RUN, FIGURES)
        PAGE.write_text(relinked(text), encoding="utf-8")


def main(names: list[str]) -> None:
    """Renew pages and small copies of the named studies, or of all."""
    if not names or "arithmetic" in names:
        renew_arithmetic()
    for study, model in MODELS.items():
        if not names or study in names:
            renew_study(study, model)


if __name__ == "__main__":
    main(sys.argv[1:])
