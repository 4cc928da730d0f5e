"""Tables as figures: columns as wide as their words need, wrapped where the page ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from pipeline_lib.figures.style import MAX_HEIGHT, NEUTRAL, PAGE, SMALL, new_figure

SIZE = 6.5
LINE = SIZE * 1.3 / 72
ROW_GAP = 0.045
MARGIN = 0.04
GAP = 0.1
MAX_GAP = 0.35
"""Letters (points); a line, the space between rows, at the edges, between columns (inches)."""


@dataclass(frozen=True)
class Layout:
    """Where everything stands: left edges and widths of the columns, lines of every cell."""

    left: list[float]
    widths: list[float]
    header: list[list[str]]
    rows: list[list[list[str]]]


def table_figure(
    cells: pd.DataFrame,
    *,
    width: float = PAGE,
    right: Sequence[str] = (),
    group: str | None = None,
    empty: str = "no rows",
    remark: str = "",
) -> Figure:
    """Draw a table of strings at ``width`` inches; call it within `style`.

    Columns named in ``right`` are flush right. Rows of the same ``group`` stand together: the value
    is written once and a fine line parts the groups. Text that is too wide is wrapped. What does
    not fit on one page's height is left out, with a note. An empty table shows ``empty``. A
    ``remark`` stands below the rows.
    """
    keys = cells[group].astype(str).tolist() if group else [""] * len(cells)
    again = [bool(group) and i > 0 and key == keys[i - 1] for i, key in enumerate(keys)]
    place = list(cells.columns).index(group) if group else None
    layout = _arrange(cells.astype(str), width - 2 * MARGIN)
    rows = [_without(row, place) if a else row for row, a in zip(layout.rows, again, strict=True)]
    layout = replace(layout, rows=rows)
    shown, note = _fit(layout, empty)
    notes = [text for text in (note, remark) if text]
    heights = [_height(row) for row in shown]
    total = _height(layout.header) + sum(heights) + len(notes) * (LINE + ROW_GAP) + 2 * MARGIN
    figure = new_figure(width, total)
    page = _Page(figure, layout, [name in right for name in cells.columns])
    page.write(layout.header, bold=True, rules=(1.0, 0.6))
    for index, row in enumerate(shown):
        page.write(row, part=bool(index and group) and not again[index])
    for text in notes:
        page.note(text)
    page.rule(1.0)
    return figure


def text_width(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Width of a line of text in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def wrap(text: str, width: float, *, bold: bool = False) -> list[str]:
    """Lines of a text no wider than ``width`` inches; a word that is wider is cut."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, bold=bold) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and text_width(lines[-1] + letter, bold=bold) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def _arrange(cells: pd.DataFrame, width: float) -> Layout:
    columns = [[str(name), *cells[name]] for name in cells.columns]
    natural = np.array([_widest(column) for column in columns])
    room = width - GAP * (len(columns) - 1)
    words = np.array([_widest(_words(column)) for column in columns])
    widths = natural if natural.sum() <= room else _shrink(natural, words, room)
    gap = GAP
    if len(columns) > 1:
        gap = min(MAX_GAP, (width - widths.sum()) / (len(columns) - 1))
    left = MARGIN + np.concatenate([[0.0], np.cumsum(widths[:-1] + gap)])
    sizes = (widths + 1e-6).tolist()
    header = [wrap(str(n), w, bold=True) for n, w in zip(cells.columns, sizes, strict=True)]
    rows = [
        [wrap(cell, size) for cell, size in zip(row, sizes, strict=True)]
        for row in cells.itertuples(index=False)
    ]
    return Layout(left.tolist(), widths.tolist(), header, rows)


def _words(column: list[str]) -> list[str]:
    """The longest word of the head, and all words of the cells."""
    return [max(column[0].split(" "), key=len), *" ".join(column[1:]).split(" ")]


def _widest(column: list[str]) -> float:
    return max([text_width(column[0], bold=True), *(text_width(cell) for cell in column[1:])])


def _shrink(natural: np.ndarray, words: np.ndarray, room: float) -> np.ndarray:
    """Widths that sum to ``room``: wide columns give way, but not below their longest word.

    Only where the words themselves do not fit, they are cut.
    """
    if words.sum() > room:
        return words * room / words.sum()
    low, high = 0.0, room
    for _ in range(40):
        limit = (low + high) / 2
        fits = np.clip(natural, None, np.maximum(words, limit)).sum() <= room
        low, high = (limit, high) if fits else (low, limit)
    return np.clip(natural, None, np.maximum(words, low))


def _height(row: list[list[str]]) -> float:
    return max(len(lines) for lines in row) * LINE + ROW_GAP


def _fit(layout: Layout, empty: str) -> tuple[list[list[list[str]]], str]:
    """Rows that fit on a page, and a note on the others."""
    if not layout.rows:
        return [], empty
    room = MAX_HEIGHT - 2 * MARGIN - _height(layout.header) - LINE - ROW_GAP
    count = int(np.searchsorted(np.cumsum([_height(row) for row in layout.rows]), room, "right"))
    left_out = len(layout.rows) - count
    return layout.rows[:count], f"{left_out} more rows in the CSV file" if left_out else ""


def _without(row: list[list[str]], place: int | None) -> list[list[str]]:
    return [[""] if index == place else lines for index, lines in enumerate(row)]


class _Page:
    """Writes rows from the top of a figure down."""

    def __init__(self, figure: Figure, layout: Layout, right: list[bool]) -> None:
        self.figure, self.layout, self.right = figure, layout, right
        self.width, self.height = figure.get_size_inches()
        self.top = MARGIN

    def write(
        self,
        row: list[list[str]],
        *,
        bold: bool = False,
        rules: tuple[float, float] | None = None,
        part: bool = False,
    ) -> None:
        """One row, between rules of the given thickness (points) or below a fine line."""
        if rules or part:
            self.rule(rules[0] if rules else 0.3)
        for lines, left, width, right in zip(
            row, self.layout.left, self.layout.widths, self.right, strict=True
        ):
            for index, line in enumerate(lines):
                self._text(left + width if right else left, index, line, right=right, bold=bold)
        self.top += _height(row)
        if rules:
            self.rule(rules[1])

    def note(self, text: str) -> None:
        """A line in grey across the table."""
        self._text(MARGIN, 0, text, right=False, bold=False, size=SMALL, colour=NEUTRAL)
        self.top += LINE + ROW_GAP

    def rule(self, thickness: float) -> None:
        """A line across the table."""
        y = 1 - self.top / self.height
        edges = [MARGIN / self.width, 1 - MARGIN / self.width]
        self.figure.add_artist(Line2D(edges, [y, y], linewidth=thickness, color="black"))

    def _text(
        self,
        x: float,
        line: int,
        text: str,
        *,
        right: bool,
        bold: bool,
        size: float = SIZE,
        colour: str = "black",
    ) -> None:
        y = self.top + ROW_GAP / 2 + line * LINE + 0.5 * LINE
        self.figure.text(
            x / self.width, 1 - y / self.height, text, fontsize=size, color=colour,
            ha="right" if right else "left", va="center_baseline",
            fontweight="bold" if bold else "normal", parse_math=False,
        )  # fmt: skip
