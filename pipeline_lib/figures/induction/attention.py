"""Attention patterns of every head, in an order of X and Y and on repeated random tokens."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from pipeline_lib import store
from pipeline_lib.figures.style import PAGE, SEQUENTIAL, SMALL, Drawn, colour_map, new_figure, style
from pipeline_lib.induction.kinds import ORDERS, PATTERNS_KIND, REPEATED

MOST_HEADS, PER_ROW = 32, 8
SHOWN = {ORDERS: 1, REPEATED: 0}
"""The prompt of each group that is shown: the mixed order, the first random sequence."""
SCORES_READ = ["layer", "head", "score", "mean"]
COLUMNS = ["prompt", "layer", "head", "induction_score", "query", "key", "attention"]


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the patterns and the scores; of many heads those with the largest scores."""
    scores = store.read_table(inputs["scores"], SCORES_READ)
    with store.open_artifact(inputs["patterns"], PATTERNS_KIND) as artifact:
        groups = {group: _group(artifact, group) for group in SHOWN}
    heads = shown_heads(scores)
    return Drawn(draw(groups, heads), tabulate(groups, heads))


def _group(artifact: store.Artifact, group: str) -> tuple[str, list[str], np.ndarray]:
    """Name, tokens and pattern [layer head query key] of the group's prompt that is shown."""
    place = SHOWN[group]
    pattern = artifact.read(f"pattern_{group}", place)
    tokens = [str(token) for token in artifact.coords(f"token_{group}")]
    length = pattern.shape[-1]
    name = str(artifact.coords(f"prompt_{group}")[place])
    return name, tokens[place * length : (place + 1) * length], pattern


def shown_heads(scores: pd.DataFrame) -> pd.DataFrame:
    """Layer, head and induction score of the heads that are drawn, layer by layer."""
    rows = scores[scores["score"] == "induction"]
    best = rows.sort_values("mean", ascending=False).head(MOST_HEADS)
    return best.sort_values(["layer", "head"])[["layer", "head", "mean"]]


def tabulate(groups: dict[str, Any], heads: pd.DataFrame) -> pd.DataFrame:
    """Every weight that is drawn (`COLUMNS`); positions count from 0."""
    tables = []
    for name, _, pattern in groups.values():
        n = pattern.shape[-1]
        query, key = np.tril_indices(n)
        for row in heads.to_dict("records"):
            weights = pattern[row["layer"], row["head"], query, key]
            cells = {"query": query, "key": key, "attention": weights}
            head = {"prompt": name, "layer": row["layer"], "head": row["head"]}
            tables.append(pd.DataFrame({**head, "induction_score": row["mean"], **cells}))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def draw(groups: dict[str, Any], heads: pd.DataFrame) -> Figure:
    """Two blocks, a panel a head each; queries downward, keys to the right."""
    with style():
        lines = -(-len(heads) // PER_ROW)
        figure = new_figure(PAGE, 0.45 + 2.15 * lines)
        blocks = figure.subfigures(2, 1, squeeze=False)[:, 0]
        titles = (
            "a  {} order; in a row, where one token looks",
            "b  random tokens, twice: dots mark the token after the first occurrence",
        )
        for block, title, group in zip(blocks, titles, groups, strict=True):
            name, tokens, pattern = groups[group]
            block.suptitle(title.format(name), x=0.01, ha="left")
            _block(block, heads, tokens, pattern, is_repeated=group == REPEATED)
        return figure


def _block(
    block: SubFigure, heads: pd.DataFrame, tokens: list[str], pattern: np.ndarray, is_repeated: bool
) -> None:
    lines = -(-len(heads) // PER_ROW)
    grid = block.subplots(lines, PER_ROW, squeeze=False)
    for axes in grid.ravel()[len(heads) :]:
        axes.set_axis_off()
    scale = ScalarMappable(Normalize(0, 1), colour_map(SEQUENTIAL))
    block.colorbar(scale, ax=grid, label="attention", fraction=0.02, pad=0.01)
    for place, (axes, row) in enumerate(zip(grid.ravel(), heads.to_dict("records"), strict=False)):
        _panel(axes, pattern[row["layer"], row["head"]])
        axes.set_title(f"L{row['layer']}H{row['head']}", fontsize=SMALL, pad=2)
        if is_repeated:
            _mark(axes, tokens)
        elif place % PER_ROW == 0:
            axes.set_yticks(range(len(tokens)), tokens, fontsize=4.2)


def _panel(axes: Axes, weights: np.ndarray) -> None:
    hidden = np.triu(np.ones_like(weights, dtype=bool), 1)
    axes.imshow(np.ma.array(weights, mask=hidden), cmap=colour_map(SEQUENTIAL), vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])


def _mark(axes: Axes, tokens: list[str]) -> None:
    """Dots where an induction head looks."""
    n = len(tokens) // 2
    query = np.arange(len(tokens) - n, len(tokens))
    axes.scatter(query - n + 1, query, s=0.5, color="#D55E00", linewidths=0)
