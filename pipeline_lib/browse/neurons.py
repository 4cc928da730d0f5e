"""Neuron gallery: every top neuron's K and KV map, heuristics, number tokens and importance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib import store
from pipeline_lib.browse import plots
from pipeline_lib.browse.page import Block, Page, number, numbers, read_template
from pipeline_lib.browse.pictures import PRECISION, Plane, pack_codes, pack_picture
from pipeline_lib.browse.sources import artifact_source, table_source
from pipeline_lib.figures.reading import (
    MAPS_KIND,
    best_first,
    neuron_name,
    one_per_operator,
    promoted_numbers,
    read_matches,
    read_neuron_map,
)
from pipeline_lib.figures.style import operator_title
from pipeline_lib.heuristics.types import TYPE_TITLES, Heuristic

N_TOKENS = 10
KEY = ["layer", "neuron"]
NEURON_COLUMNS = [*KEY, "rank", "importance"]
ABOUT = (
    'K map: activation of the neuron at "=" for every valid prompt. KV map: that times the logit '
    "which its value vector gives to the right answer. Importance: its first-order indirect effect "
    'at "=" over prompts (definitions 3; no units).'
)
UNITS = {"K": "activation", "KV": "activation × logit"}
SIDES = {"top": "highest", "bottom": "lowest"}
MEMBER, OTHER = 1, 2  # codes of a heuristic's prompts and of the other prompts; 0: no prompt


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Page:
    """The page from the maps, top neurons and matches (of ``kind``) of every operator."""
    maps, neurons, matches = (
        one_per_operator(inputs, name, operators) for name in ("maps", "neurons", "matches")
    )
    top = {op: store.read_table(path, NEURON_COLUMNS) for op, path in neurons.items()}
    found = {op: best_first(read_matches(path, settings["kind"])) for op, path in matches.items()}
    return Page(
        name="neurons",
        about=f"{ABOUT} {PRECISION}",
        sources=[
            *(artifact_source(path, MAPS_KIND) for path in maps.values()),
            *(table_source(path) for path in (*neurons.values(), *matches.values())),
        ],
        body=read_template("neurons.html"),
        script=read_template("neurons.js"),
        data={
            "operators": [[op, operator_title(op)] for op in operators],
            "types": [*TYPE_TITLES.items()],
            "rows": [row for op in operators for row in table_rows(op, top[op], found[op])],
            **{name: _heatmap(name, units) for name, units in UNITS.items()},
            "layout": plots.layout("operand 1", "operand 2"),
        },
        preview=preview(maps, top, found),
        blocks=(
            block for op in operators for block in operator_blocks(maps[op], op, top[op], found[op])
        ),
    )


def _heatmap(name: str, units: str) -> dict[str, Any]:
    hover = f"operand 1 = %{{x}}<br>operand 2 = %{{y}}<br>{name} = %{{z:.4g}}"
    return plots.heatmap(hover, f"{name} ({units})", "diverging", zmid=0)


# the table of all neurons ----------------------------------------------------------------------


def table_rows(
    operator: str, neurons: pd.DataFrame, matches: pd.DataFrame
) -> list[list[str | int | float | None]]:
    """A row a neuron, the most important of each layer first.

    operator, layer, neuron, rank (from 1), importance, importance as text, label of the best match,
    its score and corrected score as numbers and as texts, number of matches, types, what a search
    looks at. ``matches`` come best first.
    """
    groups = dict(list(matches.groupby(KEY, sort=False)))
    return [
        _table_row(operator, row, groups.get((row["layer"], row["neuron"]), matches[:0]))
        for row in neurons.to_dict("records")
    ]


def _table_row(
    operator: str, row: Mapping[str, Any], matches: pd.DataFrame
) -> list[str | int | float | None]:
    layer, neuron = int(row["layer"]), int(row["neuron"])
    nothing: dict[Any, Any] = {"label": "", "score": np.nan, "corrected_score": np.nan}
    best = matches.iloc[0].to_dict() if len(matches) else nothing
    score, corrected = float(best["score"]), float(best["corrected_score"])
    labels = "; ".join(matches["label"])
    return [
        operator, layer, neuron, int(row["rank"]) + 1,
        number(row["importance"]), as_text(row["importance"], ".4f"),
        str(best["label"]),
        number(score), as_text(score, ".2f"),
        number(corrected), as_text(corrected, ".2f"),
        len(matches),
        " ".join(dict.fromkeys(matches["type"])),
        f"{neuron_name(layer, neuron)} {labels}".lower(),
    ]  # fmt: skip


def as_text(value: float, form: str) -> str:
    """A number in words, a dash if there is none."""
    return format(value, form) if np.isfinite(value) else "–"


# one layer of an operator ----------------------------------------------------------------------


def operator_blocks(
    path: str, operator: str, neurons: pd.DataFrame, matches: pd.DataFrame
) -> Iterator[Block]:
    """The block of every layer that has neurons: maps, tokens, matches and their prompts.

    One layer's maps are in memory at a time. An operator without neurons has no blocks.
    """
    if neurons.empty:
        return
    with store.open_artifact(path, MAPS_KIND) as artifact:
        prompts = pd.DataFrame({name: artifact.read(name) for name in ("a", "b", "answer")})
        index = pd.DataFrame({name: artifact.read(name) for name in KEY})
        plane = Plane.of(prompts)
        ranked = index.merge(neurons, on=KEY, how="left", validate="one_to_one")
        for layer, rows in ranked.groupby("layer"):
            chosen = matches[matches["layer"] == layer]
            yield f"{operator}_{layer}", {
                **plane.axes(),
                "neurons": {
                    str(row["neuron"]): describe_neuron(
                        artifact, int(place), row, len(rows), prompts, plane,
                        chosen[chosen["neuron"] == row["neuron"]],
                    )
                    for place, row in zip(rows.index, rows.to_dict("records"), strict=True)
                },
                "members": pack_members(chosen["heuristic"].unique().tolist(), prompts, plane),
            }  # fmt: skip


def describe_neuron(
    artifact: store.Artifact,
    place: int,
    row: Mapping[str, Any],
    n_in_layer: int,
    prompts: pd.DataFrame,
    plane: Plane,
    matches: pd.DataFrame,
) -> dict[str, Any]:
    """All that is shown of one neuron, row ``place`` of the maps: texts and two pictures."""
    k = artifact.read("k_map", place).astype(np.float64)
    logits = artifact.read("value_logits", place).astype(np.float64)
    kv = k * logits[prompts["answer"].to_numpy()]
    return {
        "importance": as_text(row["importance"], ".4f"),
        "rank": f"{int(row['rank']) + 1} of the {n_in_layer} shown of its layer",
        "promoted": tokens(logits, N_TOKENS),
        "suppressed": tokens(logits, -N_TOKENS),
        "matches": [describe_match(match) for match in matches.to_dict("records")],
        "K": pack_picture(plane.picture(k), signed=True),
        "KV": pack_picture(plane.picture(kv), signed=True),
    }


def tokens(logits: Float[np.ndarray, " number"], count: int) -> str:
    """The numbers with the largest value logits (the smallest for a negative count), with these."""
    chosen = promoted_numbers(logits if count > 0 else -logits, abs(count))
    return ", ".join(f"{n} ({logits[n]:+.2f})" for n in chosen)


def describe_match(match: Mapping[str, Any]) -> list[str]:
    """Heuristic's name and label, type, map and which of its activations, the three scores."""
    return [
        match["heuristic"],
        match["label"],
        TYPE_TITLES[match["type"]],
        f"{match['map']}, {SIDES[match['side']]}",
        as_text(match["score"], ".3f"),
        as_text(match["base_rate"], ".2g"),
        as_text(match["corrected_score"], ".3f"),
    ]


def pack_members(names: Sequence[str], prompts: pd.DataFrame, plane: Plane) -> dict[str, str]:
    """Pictures of the codes MEMBER and OTHER for every heuristic of these names."""
    pictures = {}
    for name in names:
        member = Heuristic.from_name(name).members(prompts)
        codes = np.nan_to_num(plane.picture(np.where(member, MEMBER, OTHER).astype(np.float64)))
        pictures[name] = pack_codes(codes.astype(np.uint8))
    return pictures


def preview(
    maps: Mapping[str, str], top: Mapping[str, pd.DataFrame], found: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """Of the first operator with neurons, the most important one that matches a heuristic.

    Shown is the map of its best match; where no neuron matches, the K map of the most important.
    """
    filled = [operator for operator, table in top.items() if len(table)]
    if not filled:
        return plots.message("no operator has correct prompts: no neuron was analysed")
    operator = filled[0]
    order = top[operator].sort_values(["importance", *KEY], ascending=[False, True, True])
    best = found[operator].drop_duplicates(KEY)[[*KEY, "label", "map"]]
    ranked = order.merge(best, on=KEY, how="left")
    chosen = (ranked.dropna(subset="label") if len(best) else ranked).iloc[0]
    layer, neuron = int(chosen["layer"]), int(chosen["neuron"])
    name, label = (chosen["map"], f": {chosen['label']}") if len(best) else ("K", "")
    shown = read_neuron_map(maps[operator], layer, neuron)
    plane = Plane.of(shown.prompts)
    picture = plane.picture(shown.values(name).astype(np.float64))
    trace = _heatmap(name, UNITS[name]) | {
        "z": numbers(picture),
        "x0": plane.first_a,
        "y0": plane.first_b,
    }
    title = f"{operator_title(operator)}, {neuron_name(layer, neuron)}{label}"
    return plots.preview(trace, plots.layout("operand 1", "operand 2"), title)
