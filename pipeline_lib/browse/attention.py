"""Attention browser: from "=" to each source over the operand plane, for every head."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline_lib import store
from pipeline_lib.browse import plots
from pipeline_lib.browse.page import Block, Page, numbers, read_template
from pipeline_lib.browse.pictures import PRECISION, pack_picture
from pipeline_lib.browse.sources import artifact_source
from pipeline_lib.figures.fig02_localization import POSITION_TICKS
from pipeline_lib.figures.reading import PICTURES_KIND, paths
from pipeline_lib.figures.style import operator_title

ABOUT = (
    'Attention weight (0 to 1) from "=" to one source, for every pair of operands, whether the '
    "prompt is valid or not. Before: all tokens before the prompt's own, added up."
)
SOURCE_TITLES = {"before": "before the prompt", **POSITION_TICKS}
SCALES = {"whole": "0 to 1", "picture": "smallest to largest of this picture"}
HOVER = "operand 1 = %{x}<br>operand 2 = %{y}<br>attention = %{z:.3f}"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Page:
    """The page from the pictures of all operators that the artifact holds."""
    path = paths(inputs["pictures"])[0]
    with store.open_artifact(path, PICTURES_KIND) as artifact:
        names = {axis: artifact.coords(axis).tolist() for axis in ("operator", "layer", "head")}
        sources = [str(name) for name in artifact.coords("source")]
        preview = _preview(artifact, names["operator"], sources)
    return Page(
        name="attention",
        about=f"{ABOUT} {PRECISION}",
        sources=[artifact_source(path, PICTURES_KIND)],
        body=read_template("attention.html"),
        script=read_template("attention.js"),
        data={
            "operators": [[op, operator_title(op)] for op in names["operator"]],
            "layers": names["layer"],
            "heads": names["head"],
            # the prompt's own tokens before what stands before them
            "sources": [[name, SOURCE_TITLES[name]] for name in [*sources[1:], sources[0]]],
            "scales": [*SCALES.items()],
            "heatmap": plots.heatmap(HOVER, "attention", "sequential"),
            "layout": plots.layout("operand 1", "operand 2"),
            "overview": plots.heatmap(
                "L%{y}H%{x}<br>mean attention = %{z:.3f}", "mean attention", "sequential",
                zmin=0, zmax=1,
            ),
            "overview_layout": plots.head_layout(),
        },
        preview=preview,
        blocks=attention_blocks(path),
    )  # fmt: skip


def attention_blocks(path: str) -> Iterator[Block]:
    """A block of means for each operator, and of pictures for each of its layers.

    means [source][layer][head]; pictures [source][head], each with its mean and ends as texts.
    """
    with store.open_artifact(path, PICTURES_KIND) as artifact:
        axes = {axis: artifact.coords(axis) for axis in ("a", "b")}
        plane = {
            name: [int(axes[axis][0]), len(axes[axis])] for name, axis in (("x", "a"), ("y", "b"))
        }
        sources = [str(name) for name in artifact.coords("source")]
        layers = artifact.coords("layer").tolist()
        for place, operator in enumerate(artifact.coords("operator")):
            means = []
            for row, layer in enumerate(layers):
                values = artifact.read("attention", (place, row)).astype(np.float64)
                means.append(values.mean(axis=(-2, -1)))  # [head, source]
                pictures = {
                    name: [describe_picture(head[n]) for head in values]
                    for n, name in enumerate(sources)
                }
                yield f"{operator}_{layer}", {**plane, "pictures": pictures}
            by_source = np.moveaxis(np.array(means), -1, 0)
            yield (
                f"{operator}_means",
                {name: numbers(by_source[n]) for n, name in enumerate(sources)},
            )


def describe_picture(values: Float[np.ndarray, "a b"]) -> dict[str, Any]:
    """One picture, operand 2 along its rows, with its mean, smallest and largest value in words."""
    ends = f"from {values.min():.3f} to {values.max():.3f}"
    words = f"mean {values.mean():.3f}, {ends}"
    return {**pack_picture(values.T, signed=False), "words": words}


def _preview(artifact: store.Artifact, operators: list[str], sources: list[str]) -> dict[str, Any]:
    """Of the first operator, the head whose attention to operand 1 varies most over the plane."""
    place = sources.index("operand1")
    n_layers = len(artifact.coords("layer"))
    spread = np.stack(
        [
            artifact.read("attention", (0, row, slice(None), place)).std(
                axis=(-2, -1), dtype=np.float64
            )
            for row in range(n_layers)
        ]
    )
    layer, head = (int(n) for n in np.unravel_index(spread.argmax(), spread.shape))
    values = artifact.read("attention", (0, layer, head, place)).T
    trace = plots.heatmap(HOVER, "attention", "sequential", zmin=0, zmax=1)
    trace |= {"z": numbers(values)}
    trace |= {"x0": int(artifact.coords("a")[0]), "y0": int(artifact.coords("b")[0])}
    title = f'{operator_title(operators[0])}, L{layer}H{head}: attention from "=" to operand 1'
    return plots.preview(trace, plots.layout("operand 1", "operand 2"), title)
