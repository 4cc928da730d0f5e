"""Small copies of the default run's figures in docs/figures/, and the README's grid of them.

After a run: python -m docs.figures
"""

import re
from pathlib import Path

from PIL import Image, ImageOps

from pipeline_lib.figures.catalog import CHECKPOINT_FIGURES, FIGURES

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "figs" / "arithmetic" / "tiny-arith"
SMALL = ROOT / "docs" / "figures"
TILE, SHOWN, PER_ROW = (480, 360), 165, 5
"""Pixels of a small copy and of its width in the README; figures a row."""


def shrink(source: Path, target: Path) -> None:
    """A copy in the middle of a white tile, in 128 colours."""
    with Image.open(source) as image:
        small = ImageOps.contain(image.convert("RGB"), TILE, Image.Resampling.LANCZOS)
    tile = ImageOps.pad(small, TILE, color="white")
    tile.quantize(128).save(target, optimize=True)


def grid(names: list[str]) -> str:
    """HTML table of the small copies, ``PER_ROW`` a row."""
    image = '<td><img src="docs/figures/{0}.png" alt="{0}" title="{0}" width="{1}"></td>'
    cells = [image.format(name, SHOWN) for name in names]
    rows = [cells[start : start + PER_ROW] for start in range(0, len(cells), PER_ROW)]
    lines = "\n".join("<tr>" + "".join(row) + "</tr>" for row in rows)
    return f"<table>\n{lines}\n</table>"


def shown() -> list[str]:
    """Names of the figures in the grid: those of the built-in model that are no tables."""
    names = (name for name in FIGURES if not name.startswith("table"))
    return sorted([*names, *CHECKPOINT_FIGURES], key=lambda name: (name[:3] != "fig", name))


def main() -> None:
    """Renew the small copies and the grid."""
    names = shown()
    SMALL.mkdir(exist_ok=True)
    for old in SMALL.glob("*.png"):
        old.unlink()
    for name in names:
        shrink(RUN / f"{name}.png", SMALL / f"{name}.png")
    readme = ROOT / "README.md"
    text = re.sub(
        r"(?<=<!-- grid:begin -->\n).*?(?=<!-- grid:end -->)",
        lambda _: f"{grid(names)}\n",
        readme.read_text(),
        flags=re.S,
    )
    readme.write_text(text)


if __name__ == "__main__":
    main()
