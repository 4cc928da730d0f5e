"""Bars of ours beside a plain loop."""

from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.figures.style import COLUMN, MEDIUM, new_figure, style


def draw_beside_loop(
    labels: Sequence[str],
    ours: Sequence[float],
    loop: Sequence[float],
    xlabel: str,
    path: Path,
) -> None:
    """Two bars a label on a log axis, with how many times the loop's time ours is."""
    with style():
        figure = new_figure(COLUMN, 0.7 + 0.5 * len(labels))
        axes = figure.subplots()
        for row, (mine, theirs) in enumerate(zip(ours, loop, strict=True)):
            axes.barh(row - 0.2, theirs, 0.38, color="#6E6E6E", label="" if row else "loop")
            axes.barh(row + 0.2, mine, 0.38, color="#0072B2", label="" if row else "Bagpipe")
            text = f" {theirs / mine:.0f} times faster"
            axes.text(mine, row + 0.2, text, va="center", fontsize=MEDIUM - 1)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xscale("log")
        axes.set_xlim(min(ours) / 2, 3 * max(loop))
        axes.invert_yaxis()
        axes.set_xlabel(xlabel)
        figure.legend(loc="outside upper center", ncols=2)
        figure.savefig(path, dpi=200)
