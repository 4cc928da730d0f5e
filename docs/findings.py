"""The default run's page of findings as docs/findings.md, with small copies of its figures.

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


def main() -> None:
    """Renew the page and the small copies."""
    text = (RUN / "findings.md").read_text(encoding="utf-8")
    FIGURES.mkdir(exist_ok=True)
    for old in FIGURES.glob("*.png"):
        old.unlink()
    for name in LINK.findall(text):
        shrink(RUN / f"{name}.png", FIGURES / f"{name}.png")
    PAGE.write_text(relinked(text), encoding="utf-8")


if __name__ == "__main__":
    main()
