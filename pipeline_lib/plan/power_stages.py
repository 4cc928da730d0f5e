"""Cost of the study power: answers to pairs of sentences, patches at every layer and token.

L layers, H heads; T tokens of a question, of which W are swept.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipeline_lib.config.power import PowerStudy
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import sister_work
from pipeline_lib.plan.prompt_layout import Place, count_tokens, pieces
from pipeline_lib.plan.sister_work import (
    Component,
    SisterWork,
    captured_bytes,
    engine_bytes,
    interval_seconds,
)
from pipeline_lib.plan.stages import Stage, model_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.power.regions import REGIONS
from pipeline_lib.stimuli.power import ask, read_pairs

Work = SisterWork[PowerStudy]
Part = Literal["residual", "mlp", "heads"]
PARTS: dict[Part, Component] = {"residual": "residual", "mlp": "mlp", "heads": "head"}

NOISE_PROMPTS = 24
ANSWER_BYTES, TOKEN_BYTES, REGION_BYTES = 98, 24, 168  # rows as text, beside the sentences
BASELINE_BYTES, SUMMARY_BYTES, COST_BYTES = 545, 450, 150
PLOTTED_BYTES = 54  # a cell of one pair's map


@dataclass(frozen=True)
class PairSizes:
    """A pair of questions: their tokens, those swept, and the first of these that differs."""

    source: int
    base: int
    swept: int
    first_different: int
    letters: int
    """Characters of its row in the table."""


def sizes_of(work: Work) -> tuple[PairSizes, ...]:
    """Every pair of the table."""
    own = work.settings.pairs
    return _sizes(None if own is None else work.root / own, work.settings.question)


@lru_cache(maxsize=16)
def _sizes(path: Path | None, question: str) -> tuple[PairSizes, ...]:
    found = []
    for row in read_pairs(path).to_dict("records"):
        asked = [ask(question, row["name"], row[column]) for column in ("power", "no_power")]
        source, base = (pieces(text) for text, _ in asked)
        swept = max(count_tokens(text[start:]) for text, start in asked)
        both = list(zip(source[-swept:], base[-swept:], strict=False))
        is_same = [one == other for one, other in both] if len(source) == len(base) else [False]
        letters = sum(len(str(cell)) + 1 for cell in row.values())
        found.append(
            PairSizes(len(source), len(base), swept, [*is_same, False].index(False), letters)
        )
    return tuple(found)


def longest(work: Work) -> int:
    """Tokens of the longest question."""
    return max(max(pair.source, pair.base) for pair in sizes_of(work))


def power_pairs(work: Work) -> Stage:
    """A pass of both questions of every pair; some thrice more for the noise floor."""
    pairs = sizes_of(work)
    asked = sum(work.forward(pair.source) + work.forward(pair.base) for pair in pairs)
    noise = 3 * sum(work.forward(pair.base) for pair in pairs[:NOISE_PROMPTS])
    tokens = sum(pair.swept for pair in pairs)
    rows = sum(pair.letters + ANSWER_BYTES for pair in pairs)
    return model_stage(
        work,
        "power_pairs",
        jobs=1,
        flops=asked + noise,
        disk_bytes=rows + tokens * TOKEN_BYTES + BASELINE_BYTES + SUMMARY_BYTES,
        array_bytes=together(len(pairs)) * work.shape.d_vocab * 20
        + engine_bytes(work, NOISE_PROMPTS, 0),
        n_rows=together(len(pairs)),
    )


def together(n_pairs: int) -> int:
    """Pairs of one length, which run together."""
    return max(1, round(assumed.SAME_LENGTH * n_pairs))


def power_sweep(work: Work) -> Stage:
    """A job for each part of the model: a source run and a clean run of each pair, and patches.

    At every layer and swept token from the first that differs on; residuals also before the first
    layer. Disk: three tables [pair, layer, component, token] in float64, means by region.
    """
    jobs = [_swept_part(work, part) for part in PARTS]
    return Stage(
        "power_sweep",
        len(jobs),
        sum(job.flops for job in jobs),
        sum(job.seconds for job in jobs),
        max(job.memory_bytes for job in jobs),
        sum(job.disk_bytes for job in jobs),
        work.gpus,
    )


def _swept_part(work: Work, part: Part) -> Stage:
    pairs, shape = sizes_of(work), work.shape
    n = work.passing(min(getattr(work.settings.n_pairs, part), len(pairs)))
    layers = range(-1 if part == "residual" else 0, shape.n_layers)
    components = shape.n_heads if part == "heads" else 1
    # which pairs are swept is drawn at random
    alike = Counter(replace(pair, letters=0) for pair in pairs)
    costs = sum(n * _pair_flops(work, part, pair, layers) for pair, n in alike.items())
    each = costs / len(pairs)
    width = max(pair.swept for pair in pairs)
    values = Dataset((n, len(layers), components, width), "float64")
    named = [f"head_{number}" for number in range(components)]
    rows = len(REGIONS) * len(layers) * components
    site = {"residual": shape.d_model, "mlp": shape.d_mlp, "heads": shape.n_heads * shape.d_head}
    group = together(n)
    return model_stage(
        work,
        "power_sweep",
        jobs=1,
        flops=round(n * each),
        disk_bytes=artifact_bytes([values] * 3, named) + rows * REGION_BYTES + COST_BYTES,
        array_bytes=engine_bytes(work, group, group * len(layers) * components)
        + captured_bytes(work, group, site[part])
        + 4 * values.n_bytes,
        n_rows=group,
        seconds=interval_seconds(2 * rows, n),
    )


def _pair_flops(work: Work, part: Part, pair: PairSizes, layers: range) -> int:
    """Both runs of one pair, and all its patches."""
    start = pair.base - pair.swept + pair.first_different
    places = [Place(position) for position in range(max(0, start), pair.base)]
    one = sister_work.swept_flops(work.shape, pair.base, layers, places, PARTS[part])
    count = work.shape.n_heads if part == "heads" else 1
    return work.forward(pair.source) + work.forward(pair.base) + count * one


def figures(work: Work) -> Stage:
    """Figures of the answers, of one pair's maps and of the regions, a row each."""
    pairs, n_layers = sizes_of(work), work.shape.n_layers
    parts = 2 + work.shape.n_heads
    cells = (len(REGIONS) * REGION_BYTES + max(p.swept for p in pairs) * PLOTTED_BYTES) * n_layers
    answers = sum(pair.letters + 60 for pair in pairs)
    return sister_work.figures(work, parts * cells + answers)


STAGES = (power_pairs, power_sweep, figures)
