"""The default run's page of findings as docs/findings.md, with small copies of its figures.

Results of the sister studies go between the marks of their pages, docs/{study}.md.

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
STUDIES = {"odd_one_out": "smollm2-135m"}
"""Studies whose page is renewed where they were run, with the model of their default run."""
MARKS = "<!-- results:begin -->", "<!-- results:end -->"
LINK = re.compile(r"!\[(\w+)\]\(\w+\.png\)")


def shrink(source: Path, target: Path) -> None:
    """A copy that is at most ``WIDTH`` pixels wide."""
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail((WIDTH, 2 * WIDTH), Image.Resampling.LANCZOS)
    small.quantize(COLOURS).save(target, optimize=True)


def relinked(text: str) -> str:
    """The page with its figures where the small copies lie."""
    return LINK.sub(rf"![\1]({FIGURES.relative_to(PAGE.parent).as_posix()}/\1.png)", text)


def renew_study(study: str, model: str) -> None:
    """The results on a study's page, and small copies of the figures that they show."""
    run, page = ROOT / "figs" / study / model, ROOT / "docs" / f"{study}.md"
    text = (run / "findings.md").read_text(encoding="utf-8")
    figures = ROOT / "docs" / "figures" / study
    figures.mkdir(parents=True, exist_ok=True)
    for old in figures.glob("*.png"):
        old.unlink()
    for name in LINK.findall(text):
        shrink(run / f"{name}.png", figures / f"{name}.png")
    linked = LINK.sub(rf"![\1](figures/{study}/\1.png)", text)
    begin, end = MARKS
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n{linked.strip()}\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Renew the pages and the small copies."""
    for study, model in STUDIES.items():
        if (ROOT / "figs" / study / model / "findings.md").exists():
            renew_study(study, model)
    if not (RUN / "findings.md").exists():
        return
    text = (RUN / "findings.md").read_text(encoding="utf-8")
    FIGURES.mkdir(exist_ok=True)
    for old in FIGURES.glob("*.png"):
        old.unlink()
    for name in LINK.findall(text):
        shrink(RUN / f"{name}.png", FIGURES / f"{name}.png")
    PAGE.write_text(relinked(text), encoding="utf-8")


if __name__ == "__main__":
    main()
