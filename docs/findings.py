"""The default run's findings in docs/, with small copies of their figures.

The arithmetic study's page is docs/findings.md; that of a sister study goes between the markers of
docs/{study}.md. After a run: python -m docs.findings (every study that was run), or with the names
of studies: python -m docs.findings power
"""

import re
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "figs" / "arithmetic" / "tiny-arith"
PAGE = ROOT / "docs" / "findings.md"
FIGURES = ROOT / "docs" / "figures" / "findings"
WIDTH, COLOURS = 1100, 256
"""Pixels and colours of a small copy."""
SISTERS = {
    "bayes": "smollm2-135m",
    "induction": "tiny-induction",
    "odd_one_out": "smollm2-135m",
    "power": "smollm2-135m",
}
"""The built-in model of each study beside arithmetic."""
MARKERS = ("<!-- findings:begin -->", "<!-- findings:end -->")
LINK = re.compile(r"!\[(\w+)\]\(\w+\.png\)")


def shrink(source: Path, target: Path) -> None:
    """A copy of an image with few pixels and colours."""
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail((WIDTH, 2 * WIDTH), Image.Resampling.LANCZOS)
    few = small.quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    few.save(target, optimize=True)


def relinked(text: str, figures: Path = FIGURES) -> str:
    """The page with its figures where the small copies lie."""
    return LINK.sub(rf"![\1]({figures.relative_to(PAGE.parent).as_posix()}/\1.png)", text)


def copy_figures(text: str, run: Path, figures: Path) -> None:
    """Small copies of the figures that a page shows, and no others."""
    figures.mkdir(exist_ok=True)
    for old in figures.glob("*.png"):
        old.unlink()
    for name in LINK.findall(text):
        shrink(run / f"{name}.png", figures / f"{name}.png")


def between_markers(page: str, text: str) -> str:
    """A page with what stands between its markers replaced."""
    before, rest = page.split(MARKERS[0])
    _, after = rest.split(MARKERS[1])
    return f"{before}{MARKERS[0]}\n{text.strip()}\n{MARKERS[1]}{after}"


def as_part(text: str) -> str:
    """Findings as a part of another page: its headings move one rank down."""
    return re.sub(r"^#", "##", text, flags=re.M)


def renew_arithmetic() -> None:
    """Renew docs/findings.md, where the study was run."""
    if (RUN / "findings.md").exists():
        text = (RUN / "findings.md").read_text(encoding="utf-8")
        copy_figures(text, RUN, FIGURES)
        PAGE.write_text(relinked(text), encoding="utf-8")


def renew_sister(study: str, model: str) -> None:
    """Renew the findings in a sister study's page, where the study was run."""
    run, figures = ROOT / "figs" / study / model, ROOT / "docs" / "figures" / study
    if not (run / "findings.md").exists():
        return
    page = ROOT / "docs" / f"{study}.md"
    text = as_part((run / "findings.md").read_text(encoding="utf-8"))
    copy_figures(text, run, figures)
    found = between_markers(page.read_text(encoding="utf-8"), relinked(text, figures))
    page.write_text(found, encoding="utf-8")


def main(names: list[str]) -> None:
    """Renew pages and small copies of the named studies, or of all."""
    if not names or "arithmetic" in names:
        renew_arithmetic()
    for study, model in SISTERS.items():
        if not names or study in names:
            renew_sister(study, model)


if __name__ == "__main__":
    main(sys.argv[1:])
