"""The critical layers, found by the sufficiency sweep, and the parts of the critical slice."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Critical:
    """Where the answer is put together at the query.

    ``layers`` is the window in which the residual at the query comes to carry the answer, ``layer``
    the last of them: after it the answer is there; ``heads`` (layer, head) and ``mlp`` (a layer)
    are those of the window that are most sufficient at the query. All of the window's heads and
    MLPs at the query are the critical slice.
    """

    layers: list[int]
    layer: int
    heads: list[tuple[int, int]]
    mlp: int

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Critical":
        """From JSON."""
        heads = [(int(layer), int(head)) for layer, head in plain["heads"]]
        return cls(list(plain["layers"]), int(plain["layer"]), heads, int(plain["mlp"]))


def critical_layers(table: pd.DataFrame, window: int) -> list[int]:
    """The ``window`` layers over which the residual's recovery at the query rises most."""
    rows = table[(table["component"] == "residual") & (table["position"] == "query")]
    rows = rows.sort_values("layer")
    layers = rows["layer"].to_numpy(np.int64)
    values = rows["effect"].fillna(0.0).to_numpy(np.float64)
    window = min(window, len(layers))
    below = np.concatenate([[0.0], values])
    rises = [below[end + 1] - below[end + 1 - window] for end in range(window - 1, len(layers))]
    start = int(np.argmax(rises))
    return [int(layer) for layer in layers[start : start + window]]


def find_critical(
    residual: pd.DataFrame, components: pd.DataFrame, window: int, n_heads: int
) -> Critical:
    """The critical layers by the residual's sweep, their heads and MLP by that of components."""
    layers = critical_layers(residual, window)
    inside = components[components["layer"].isin(layers) & (components["position"] == "query")]
    ranked = inside.sort_values("effect", ascending=False)
    is_head = ranked["component"].str.startswith("H")
    heads = [
        (int(layer), int(name[1:]))
        for layer, name in ranked.loc[is_head, ["layer", "component"]].head(n_heads).to_numpy()
    ]
    mlp = int(ranked.loc[ranked["component"] == "MLP", "layer"].iloc[0])
    return Critical(layers, layers[-1], heads, mlp)
