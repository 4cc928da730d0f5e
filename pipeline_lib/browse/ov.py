"""OV browser: what every head would write when it attends to a number, over number tokens."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline_lib import store
from pipeline_lib.browse import plots
from pipeline_lib.browse.page import Block, Page, number, numbers, read_template
from pipeline_lib.browse.pictures import PRECISION, pack_picture
from pipeline_lib.browse.sources import artifact_source
from pipeline_lib.figures.reading import OV_KIND, paths

N_PAIRS = 15
ABOUT = (
    "OV map of a head: what attending to one number adds to the logit of another, before the final "
    "norm's scale (definitions 9)."
)
STARTS = {"embedding": "the number's embedding", "unembedding": "the number's unembedding"}
HOVER = "from %{y}<br>to %{x}<br>logit = %{z:.4g}"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Page:
    """The page from the OV maps; they belong to no operator."""
    path = paths(inputs["ov"])[0]
    with store.open_artifact(path, OV_KIND) as artifact:
        layers, heads = (artifact.coords(axis).tolist() for axis in ("layer", "head"))
        start = artifact.provenance.get("params", {}).get("ov_source")
        tops = np.stack([_tops(artifact, row) for row in range(len(layers))])
        preview = _preview(artifact, tops)
    words = f" Maps start from {STARTS[start]}." if start in STARTS else ""
    return Page(
        name="ov",
        about=f"{ABOUT}{words} {PRECISION}",
        sources=[artifact_source(path, OV_KIND)],
        body=read_template("ov.html"),
        script=read_template("ov.js"),
        data={
            "layers": layers,
            "heads": heads,
            "tops": numbers(tops),
            "heatmap": plots.heatmap(HOVER, "logit", "diverging", zmid=0),
            "layout": plots.layout("to number", "from number"),
            "overview": plots.heatmap(
                "L%{y}H%{x}<br>largest size = %{z:.4g}", "largest size of a logit", "sequential",
                zmin=0, zmax=number(float(tops.max(initial=0.0))),
            ),
            "overview_layout": plots.head_layout(),
        },
        preview=preview,
        blocks=ov_blocks(path),
    )  # fmt: skip


def _tops(artifact: store.Artifact, row: int) -> Float[np.ndarray, " head"]:
    """Largest size of a logit of every head of one layer."""
    return np.abs(artifact.read("logits", row).astype(np.float64)).max(axis=(-2, -1))


def ov_blocks(path: str) -> Iterator[Block]:
    """A block a layer: every head's map and its strongest pairs; one layer in memory at a time."""
    with store.open_artifact(path, OV_KIND) as artifact:
        tokens = {axis: artifact.coords(axis) for axis in ("from", "to")}
        plane = {
            name: [int(tokens[axis][0]), len(tokens[axis])]
            for name, axis in (("x", "to"), ("y", "from"))
        }
        for row, layer in enumerate(artifact.coords("layer")):
            values = artifact.read("logits", row).astype(np.float64)
            yield f"layer_{layer}", {**plane, "heads": [describe_head(head) for head in values]}


def describe_head(values: Float[np.ndarray, "from to"]) -> dict[str, Any]:
    """One head's map, its diagonal in words, and its ``N_PAIRS`` largest and smallest logits."""
    diagonal = np.diagonal(values)
    copied = int((values.argmax(axis=1) == np.arange(len(values))).sum())
    return {
        **pack_picture(values, signed=True),
        "words": (
            f"mean logit {diagonal.mean():.3g} from a number to itself, {values.mean():.3g} over "
            f"all pairs; for {copied} of {len(values)} numbers the largest logit is their own"
        ),
        "largest": strongest(values, N_PAIRS),
        "smallest": strongest(-values, N_PAIRS, sign=-1),
    }


def strongest(
    values: Float[np.ndarray, "from to"], count: int, sign: int = 1
) -> list[tuple[str, str, str]]:
    """The ``count`` pairs (from, to) with the largest values, then these times ``sign``: texts."""
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, values.shape), strict=True)
    return [(str(start), str(end), f"{sign * values[start, end]:+.4g}") for start, end in pairs]


def _preview(artifact: store.Artifact, tops: Float[np.ndarray, "layer head"]) -> dict[str, Any]:
    """The head with the largest logit."""
    layer, head = (int(n) for n in np.unravel_index(tops.argmax(), tops.shape))
    values = artifact.read("logits", (layer, head))
    trace = plots.heatmap(HOVER, "logit", "diverging", zmid=0)
    trace |= {"z": numbers(values)}
    title = f"OV map of L{layer}H{head}"
    return plots.preview(trace, plots.layout("to number", "from number"), title)
