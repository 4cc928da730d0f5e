"""What the last MLP writes at "=" as points of a plane, coloured by the answer (definitions 9)."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import OUTPUTS_KIND, paths
from pipeline_lib.figures.style import (
    OPERATOR_COLOURS,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.measures.components import principal_plane

COLUMNS = ["operator", "a", "b", "answer", "answer_rank", "parity", "last_digit"]
COLUMNS += ["pc1", "pc2", "explained1", "explained2"]
QUANTITIES = {
    "answer_rank": "rank of the answer",
    "parity": "parity of the answer",
    "last_digit": "last digit",
}
ORDERED = "cividis"
PARITY = ListedColormap([OPERATOR_COLOURS["add"], OPERATOR_COLOURS["sub"]])


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the outputs of the last MLP on sampled prompts of every operator."""
    with store.open_artifact(paths(inputs["outputs"])[0], OUTPUTS_KIND) as artifact:
        vectors, place = artifact.read("mlp_out"), artifact.read("operator")
        names = np.array(artifact.coords("operator"), dtype=object)
        columns = {name: artifact.read(name) for name in ("a", "b", "answer")}
    prompts = pd.DataFrame({"operator": names[place], **columns})
    table = tabulate_places(prompts, vectors)
    return Drawn(draw_places(table, operators), table)


def tabulate_places(prompts: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """Place of every prompt on its operator's first two principal components (`COLUMNS`).

    answer_rank: share of the operator's prompts whose answer is not larger (ties: their mean), for
    answers crowd near 0; explained1, explained2: the components' shares of the variance.
    """
    parts = [pd.DataFrame(columns=COLUMNS)] if prompts.empty else []
    for _, rows in prompts.groupby("operator", sort=False):
        plane = principal_plane(vectors[rows.index])
        placed = rows.assign(
            answer_rank=rows["answer"].rank(pct=True),
            parity=rows["answer"] % 2,
            last_digit=rows["answer"] % 10,
            pc1=plane.places[:, 0],
            pc2=plane.places[:, 1],
            explained1=plane.explained[0],
            explained2=plane.explained[1],
        )
        parts.append(placed[COLUMNS])
    return pd.concat(parts, ignore_index=True)


def draw_places(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Rows: operators, each with its own components; columns: what the colours tell."""
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nthere is nothing to embed")
        figure = new_figure(PAGE, 0.5 + 1.75 * len(operators))
        grid = figure.subplots(len(operators), len(QUANTITIES), squeeze=False)
        for operator, line in zip(operators, grid, strict=True):
            rows = table[table["operator"] == operator]
            for axes, quantity in zip(line, QUANTITIES, strict=True):
                axes.set_title(operator_title(operator))
                if rows.empty:
                    say(axes, "no correct prompts")
                    continue
                _panel(axes, rows, quantity, *_colours(quantity))
        for column, (quantity, label) in enumerate(QUANTITIES.items()):
            norm, colours = _colours(quantity)
            bar = figure.colorbar(
                ScalarMappable(norm, colours), ax=grid[:, column], location="bottom",
                aspect=30, pad=0.02, label=label,
            )  # fmt: skip
            _ticks(bar.ax, quantity)
        return figure


def _colours(quantity: str) -> tuple[Normalize, Colormap]:
    """Scale and colours of a quantity; one scale for all operators."""
    if quantity == "parity":
        return BoundaryNorm([-0.5, 0.5, 1.5], 2), PARITY
    if quantity == "last_digit":
        return BoundaryNorm(np.arange(11) - 0.5, 10), matplotlib.colormaps[ORDERED].resampled(10)
    return Normalize(0, 1), matplotlib.colormaps[ORDERED]


def _ticks(bar: Axes, quantity: str) -> None:
    if quantity == "parity":
        bar.set_xticks([0, 1], ["even", "odd"])
    elif quantity == "answer_rank":
        bar.set_xticks([0, 1], ["smallest", "largest"])
    else:
        bar.set_xticks(range(10), [str(digit) for digit in range(10)])
    bar.tick_params(which="minor", length=0)


def _panel(
    axes: Axes, rows: pd.DataFrame, quantity: str, norm: Normalize, colours: Colormap
) -> None:
    axes.scatter(
        rows["pc1"], rows["pc2"], c=rows[quantity].to_numpy(dtype=float), norm=norm, cmap=colours,
        s=3, linewidths=0, rasterized=True,
    )  # fmt: skip
    shares = (rows["explained1"].iloc[0], rows["explained2"].iloc[0])
    first, second = (f"PC {n + 1} ({share:.0%})" for n, share in enumerate(shares))
    axes.set(xlabel=first, ylabel=second, xticks=[], yticks=[])
