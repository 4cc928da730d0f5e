"""Attention of every head in orders of two symbols and on repeated random tokens."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib import store
from pipeline_lib.browse import plots
from pipeline_lib.browse.page import Block, Page, numbers, read_template
from pipeline_lib.browse.pictures import PRECISION, pack_picture
from pipeline_lib.browse.sources import artifact_source, table_source
from pipeline_lib.induction.kinds import KINDS, ORDERS, PATTERNS_KIND, REPEATED

ABOUT = (
    "Attention weight (0 to 1) from each token (rows) to the tokens up to itself (columns). "
    "Random sequences hold every random token twice: an induction head looks from the second "
    "occurrence to the token after the first."
)
TITLES = {
    "induction": "induction score",
    "previous": "attention to the token before",
    "same": "attention to the first occurrence",
    "drift": "drift taken away (zero ablation)",
}
HOVER = "from %{customdata[0]}<br>to %{customdata[1]}<br>attention = %{z:.3f}"
REPORT = "../../report.html"  # from figs/induction/{model}
READ = ["layer", "head", "score", "mean", "low", "high"]
SWEEP_READ = ["kind", "measure", "layer", "component", "effect", "low", "high"]


def make(inputs: dict[str, Any]) -> Page:
    """The page from the patterns, the scores and the ablation of single heads."""
    scores = store.read_table(inputs["scores"], READ)
    sweep = store.read_table(inputs["ablation"], SWEEP_READ)
    measures = head_measures(scores, sweep)
    layers, heads = (sorted({int(n) for n in scores[name]}) for name in ("layer", "head"))
    best = scores[scores["score"] == "induction"].sort_values("mean", ascending=False).iloc[0]
    with store.open_artifact(inputs["patterns"], PATTERNS_KIND) as artifact:
        prompts = prompt_names(artifact)
    return Page(
        name="attention",
        title="Induction: attention",
        links={"attention.html": "Attention", REPORT: "Report"},
        about=f"{ABOUT} {PRECISION}",
        sources=[
            artifact_source(inputs["patterns"], PATTERNS_KIND),
            table_source(inputs["scores"]),
            table_source(inputs["ablation"]),
        ],
        body=read_template("induction.html"),
        script=read_template("induction.js"),
        data={
            "prompts": prompts,
            "layers": layers,
            "heads": heads,
            "start": {"layer": str(int(best["layer"])), "head": str(int(best["head"]))},
            "measures": [[name, TITLES[name]] for name in TITLES],
            "overview": {name: grid(measures, name, layers, heads) for name in TITLES},
            "words": in_words(measures),
            "heatmap": plots.heatmap(HOVER, "attention", "sequential", zmin=0, zmax=1),
            "layout": plots.layout("token that is looked at", ""),
            "map": plots.heatmap("L%{y}H%{x}<br>%{z:.3f}", "", "sequential"),
            "map_layout": plots.head_layout(),
        },
        preview={},
        blocks=prompt_blocks(inputs["patterns"]),
    )  # fmt: skip


def head_measures(scores: pd.DataFrame, sweep: pd.DataFrame) -> pd.DataFrame:
    """Scores and drift reduction under one name: columns layer, head, name, mean, low, high."""
    drift = sweep[(sweep["measure"] == "drift") & (sweep["kind"] == KINDS[0])]
    head = drift["component"].str.removeprefix("head_").astype(int)
    drift = drift.assign(name="drift", head=head).rename(columns={"effect": "mean"})
    named = scores.rename(columns={"score": "name"})
    columns = ["layer", "head", "name", "mean", "low", "high"]
    return pd.concat([named[columns], drift[columns]], ignore_index=True)


def grid(
    measures: pd.DataFrame, name: str, layers: list[int], heads: list[int]
) -> list[list[float | None]]:
    """One measure of all heads, a row a layer."""
    rows = measures[measures["name"] == name]
    wide = rows.pivot_table(index="layer", columns="head", values="mean", dropna=False)
    return numbers(wide.reindex(index=layers, columns=heads).to_numpy(np.float64))


def in_words(measures: pd.DataFrame) -> dict[str, str]:
    """All measures of each head with their intervals, by its layer and number ("1_6")."""
    found: dict[str, list[str]] = {}
    for row in measures.to_dict("records"):
        ends = f"[{row['low']:.3f}, {row['high']:.3f}]"
        words = found.setdefault(f"{row['layer']}_{row['head']}", [])
        words.append(f"{TITLES[row['name']]} {row['mean']:.3f} {ends}")
    return {head: "; ".join(words) for head, words in found.items()}


def prompt_names(artifact: store.Artifact) -> list[list[str]]:
    """Key and name of every prompt of the artifact."""
    return [
        [f"{group}_{number}", f"{name} order" if group == ORDERS else f"{name} sequence"]
        for group in (ORDERS, REPEATED)
        for number, name in enumerate(artifact.coords(f"prompt_{group}"))
    ]


def prompt_blocks(path: str) -> Iterator[Block]:
    """A block a prompt: its tokens, and the picture of every head [layer][head]."""
    with store.open_artifact(path, PATTERNS_KIND) as artifact:
        for group in (ORDERS, REPEATED):
            tokens = [str(token) for token in artifact.coords(f"token_{group}")]
            for number in range(len(artifact.coords(f"prompt_{group}"))):
                pattern = artifact.read(f"pattern_{group}", number)
                length = pattern.shape[-1]
                yield (
                    f"{group}_{number}",
                    {
                        "tokens": tokens[number * length : (number + 1) * length],
                        "pictures": [[packed(head) for head in layer] for layer in pattern],
                    },
                )


def packed(weights: Float[np.ndarray, "query key"]) -> dict[str, Any]:
    """A picture of a pattern; what lies after the token that looks has no value."""
    seen = np.tril(np.ones_like(weights, dtype=bool))
    return pack_picture(np.where(seen, weights, np.nan), signed=False)
