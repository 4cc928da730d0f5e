"""What the plots of all pages have in common: colours, axes, hover; Plotly's words for them."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from pipeline_lib.figures.style import DIVERGING, MISSING, NEUTRAL, SEQUENTIAL

NAME = {"size": 14}  # of an axis
STOPS = 17  # of a colour scale; colours between them are interpolated
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def colour_scale(name: str) -> list[list[Any]]:
    """A matplotlib colour map as Plotly's list of [place, colour]."""
    places = np.linspace(0, 1, STOPS)
    return [[round(float(p), 4), to_hex(matplotlib.colormaps[name](p))] for p in places]


def scales() -> dict[str, list[list[Any]]]:
    """The figures' two colour scales, by what they are for."""
    return {"diverging": colour_scale(DIVERGING), "sequential": colour_scale(SEQUENTIAL)}


def heatmap(hover: str, bar: str, scale: str, **options: Any) -> dict[str, Any]:
    """A heatmap without its values; ``bar`` names what the colours mean."""
    return {
        "type": "heatmap",
        "colorscale": scales()[scale],
        "hovertemplate": f"{hover}<extra></extra>",
        "hoverongaps": False,
        "colorbar": {
            "orientation": "h", "thickness": 12, "len": 1.0,
            "title": {"text": bar, "side": "bottom"},
            # measured from the edge of the plot, so that it fits whatever the height
            "yref": "container", "y": 0.01, "yanchor": "bottom",
        },
        **options,
    }  # fmt: skip


def layout(x: str, y: str, *, square: bool = True) -> dict[str, Any]:
    """Layout of one heatmap with named axes, grey where there is no value; ``square`` cells."""
    axis: dict[str, Any] = {
        "constrain": "domain",
        "showgrid": False,
        "zeroline": False,
        "ticks": "outside",
    }
    axis |= {"showline": True, "mirror": True, "linecolor": NEUTRAL}
    scaled = {"scaleanchor": "x"} if square else {}
    # not the axis' own title, which a colour bar at the edge pushes into the numbers
    title = {"xref": "x domain", "yref": "y domain", "x": 0.5, "y": 0, "yanchor": "top"}
    return {
        "xaxis": axis,
        "yaxis": {**axis, "title": {"text": y, "standoff": 8, "font": NAME}, **scaled},
        "annotations": [{**title, "yshift": -22, "text": x, "showarrow": False, "font": NAME}],
        # above: room for the tool bar; below: for numbers, name and colour bar
        "margin": {"l": 56, "r": 12, "t": 34, "b": 118},
        "modebar": {"bgcolor": "rgba(0,0,0,0)"},
        "plot_bgcolor": MISSING,
        "paper_bgcolor": "white",
        "font": {"family": FONT, "size": 13, "color": "#111"},
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
    }


def preview(trace: dict[str, Any], look: dict[str, Any], title: str) -> dict[str, Any]:
    """A whole figure: a filled trace, its layout, a title above."""
    margin = {**look["margin"], "t": 56}
    head = {"text": title, "font": {"size": 14}}
    return {"data": [trace], "layout": {**look, "margin": margin, "title": head}}


def message(text: str) -> dict[str, Any]:
    """A figure that says why there is nothing to see."""
    note = {"text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    hidden = {"visible": False}
    return {"data": [], "layout": {"xaxis": hidden, "yaxis": hidden, "annotations": [note]}}


def head_layout() -> dict[str, Any]:
    """Layout of one number for every head, heads along x; named, so that all of them are seen."""
    look = layout("head", "layer", square=False)
    return look | {axis: {**look[axis], "type": "category"} for axis in ("xaxis", "yaxis")}
