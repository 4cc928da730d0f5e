"""Small copies of the default run's figures in docs/figures/, and the README's grid of them.

After a run: python docs/figures.py
"""

import re
from pathlib import Path

from PIL import Image

from pipeline_lib.figures.catalog import FIGURES

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "figs" / "arithmetic" / "tiny-arith"
SMALL = ROOT / "docs" / "figures"
WIDTH, PER_ROW = 480, 4


def shrink(source: Path, target: Path) -> None:
    """A copy ``WIDTH`` pixels wide, in few colours."""
    with Image.open(source) as image:
        height = round(image.height * WIDTH / image.width)
        small = image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    small.quantize(64).save(target, optimize=True)


def grid(names: list[str]) -> str:
    """HTML table of the small copies, ``PER_ROW`` a row."""
    cells = [f'<td><img src="docs/figures/{name}.png" alt="{name}"></td>' for name in names]
    rows = [cells[start : start + PER_ROW] for start in range(0, len(cells), PER_ROW)]
    lines = "\n".join("<tr>" + "".join(row) + "</tr>" for row in rows)
    return f"<table>\n{lines}\n</table>"


def main() -> None:
    """Renew the small copies and the grid."""
    names = [name for name in FIGURES if name.startswith("fig")]
    SMALL.mkdir(exist_ok=True)
    for old in SMALL.glob("*.png"):
        old.unlink()
    for name in names:
        shrink(RUN / f"{name}.png", SMALL / f"{name}.png")
    readme = ROOT / "README.md"
    text = re.sub(
        r"(?<=<!-- grid:begin -->\n).*?(?=\n<!-- grid:end -->)",
        lambda _: grid(names),
        readme.read_text(),
        flags=re.S,
    )
    readme.write_text(text)


if __name__ == "__main__":
    main()
