"""The default run's page of findings as docs/findings.md, with small copies of its figures.

Findings of the other studies go into the pages that describe them, between two marks.

After a run: python -m docs.findings
"""

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "figs" / "arithmetic" / "tiny-arith"
PAGE = ROOT / "docs" / "findings.md"
FIGURES = ROOT / "docs" / "figures" / "findings"
WIDTH, COLOURS = 1100, 64
"""Pixels and colours of a small copy."""
STUDIES = {"induction": "tiny-induction"}
"""Studies with a page docs/{study}.md, and the model whose findings it shows."""
MARKED = re.compile(r"(?<=<!-- findings:begin -->\n).*(?=<!-- findings:end -->)", re.S)
LINK = re.compile(r"!\[(\w+)\]\(\w+\.png\)")


def shrink(source: Path, target: Path) -> None:
    """A copy that is at most ``WIDTH`` pixels wide."""
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail((WIDTH, 2 * WIDTH), Image.Resampling.LANCZOS)
    small.quantize(COLOURS).save(target, optimize=True)


def relinked(text: str, figures: Path = FIGURES) -> str:
    """The page with its figures where the small copies lie."""
    return LINK.sub(rf"![\1]({figures.relative_to(PAGE.parent).as_posix()}/\1.png)", text)


def lowered(text: str) -> str:
    """Findings as a part of a page: without their title and its line, headings a level lower."""
    body = text.split("\n", 1)[1].strip()
    return re.sub(r"^## ", "### ", body, flags=re.M)


def renew_study(study: str, model: str) -> None:
    """Put the findings of a study's model into its page, with small copies of their figures."""
    run, page = ROOT / "figs" / study / model, ROOT / "docs" / f"{study}.md"
    figures = ROOT / "docs" / "figures" / study
    text = (run / "findings.md").read_text(encoding="utf-8")
    figures.mkdir(parents=True, exist_ok=True)
    for name in LINK.findall(text):
        shrink(run / f"{name}.png", figures / f"{name}.png")
    part = relinked(lowered(text), figures)
    whole = MARKED.sub(lambda _: f"{part}\n", page.read_text(encoding="utf-8"))
    page.write_text(whole, encoding="utf-8")


def main() -> None:
    """Renew the pages and the small copies, of the studies that were run."""
    for study, model in STUDIES.items():
        if (ROOT / "figs" / study / model / "findings.md").exists():
            renew_study(study, model)
    if (RUN / "findings.md").exists():
        renew_arithmetic()


def renew_arithmetic() -> None:
    """Renew docs/findings.md and its small copies."""
    text = (RUN / "findings.md").read_text(encoding="utf-8")
    FIGURES.mkdir(exist_ok=True)
    for old in FIGURES.glob("*.png"):
        old.unlink()
    for name in LINK.findall(text):
        shrink(RUN / f"{name}.png", FIGURES / f"{name}.png")
    PAGE.write_text(relinked(text), encoding="utf-8")


if __name__ == "__main__":
    main()
