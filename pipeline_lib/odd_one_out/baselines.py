"""Part 1: can the model do the task; margins of clean and corrupt prompts, and which pairs pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline_lib.errors import PromptError
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.pairs import (
    PairSet,
    align,
    candidates,
    margin,
    prompt_logits,
    refuse_left_out,
    require,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval, wilson_interval
from pipeline_lib.stimuli.odd_one_out import (
    CONTROLS,
    KINDS,
    TASKS,
    Formats,
    People,
    Task,
    example_pairs,
    propose,
)
from pipeline_lib.sweeps import noise_floor

MARGINS = ["margin_clean", "margin_corrupt", "gap", "margin_corrupt_answer"]
SUMMARY = [
    "task", "kind", "pairs", "right", "accuracy", "low", "high", "chance", "margin_clean",
    "margin_clean_low", "margin_clean_high", "margin_corrupt", "margin_corrupt_low",
    "margin_corrupt_high", "gap", "gap_low", "gap_high", "margin_corrupt_answer",
    "right_corrupt", "within_noise", "passing", "left_out",
]  # fmt: skip
LEFT_OUT = ["task", "kind", "swapped", "replacement", "reason"]


@dataclass(frozen=True)
class GridSettings:
    """How many pairs of each task, and when one passes (nats)."""

    pairs: int = 160
    shots_pairs: int = 32
    controls: int = 40
    proposals: int = 8
    least_people: int = 5
    min_gap: float = 0.5
    min_pairs: int = 12
    seed: int = 42


@dataclass(frozen=True)
class Baselines:
    """Pairs with their margins, logits of all candidates, a summary a task and kind, the choice."""

    pairs: pd.DataFrame
    logits: pd.DataFrame
    left_out: pd.DataFrame
    summary: pd.DataFrame
    choice: dict[str, Any]


def measure_baselines(
    model: LanguageModel,
    table: pd.DataFrame,
    formats: Formats,
    examples: Sequence[Mapping[str, Any]],
    *,
    tasks: Sequence[Task],
    settings: GridSettings,
) -> Baselines:
    """Every task's pairs, their margins, and the task that the sweeps use (`choose_task`).

    Raises PromptError when no pair of a task can be made, TokenizerError for examples whose names
    collide.
    """
    people = People(table, settings.least_people)
    measured, left, logits = [], [], []
    floor = 0.0
    for task in progress([t for t in TASKS if t in tasks], "tasks"):
        pairs, left_out = task_pairs(model, people, task, formats, examples, settings)
        both = [prompt_logits(model, pairs, which) for which in ("clean", "corrupt")]
        floor = max(floor, batch_noise(model, pairs))
        measured.append(add_margins(pairs.table, *both))
        logits.append(long_logits(pairs, *both))
        left.append(left_out[LEFT_OUT])
    rows = pd.concat(measured, ignore_index=True)
    rows = mark_passing(rows, floor, settings.min_gap)
    dropped = pd.concat(left, ignore_index=True)
    rng = generator(settings.seed, "odd_one_out", "baselines")
    summary = summarise(rows, dropped, rng)
    choice = choose_task(summary, tasks, settings.min_pairs) | {"noise_floor": floor}
    rows.insert(0, "pair", np.arange(len(rows)))
    return Baselines(rows, pd.concat(logits, ignore_index=True), dropped, summary, choice)


def task_pairs(
    model: LanguageModel,
    people: People,
    task: Task,
    formats: Formats,
    examples: Sequence[Mapping[str, Any]],
    settings: GridSettings,
) -> tuple[PairSet, pd.DataFrame]:
    """Aligned pairs of a task, as many of each kind as wanted, and those left out on the way."""
    parts, left = [], []
    if task == "odd_one_out" and examples:
        written = example_pairs(examples, people, formats)
        chosen, dropped = align(model.tokenizer, written, keep_unaligned=True)
        refuse_left_out(dropped)
        parts.append(chosen)
        left.append(dropped)
    real = [kind for kind in KINDS[task] if kind not in CONTROLS]
    total = settings.shots_pairs if task == "odd_one_out_shots" else settings.pairs
    for kind in KINDS[task]:
        n = settings.controls if kind in CONTROLS else total // len(real)
        rng = generator(settings.seed, "odd_one_out", task, kind)
        proposed = propose(people, task, kind, formats, settings.proposals * n, rng)
        chosen, dropped = first_pairs(*align(model.tokenizer, proposed), n)
        if kind in real:
            require(chosen, dropped, f"{task}, {kind}")
        parts.append(chosen)
        left.append(dropped)
    return joined(parts), pd.concat(left, ignore_index=True)


def first_pairs(chosen: PairSet, dropped: pd.DataFrame, n: int) -> tuple[PairSet, pd.DataFrame]:
    """The first ``n`` pairs, and those that were left out before enough were found."""
    if len(chosen) <= n:
        return chosen, dropped
    enough = chosen.table["proposal"].iloc[n - 1]
    return chosen.take(np.arange(n)), dropped[dropped["proposal"] < enough]


def joined(parts: Sequence[PairSet]) -> PairSet:
    """Pairs of one task, one set after the other."""
    full = [part for part in parts if len(part)]
    width = max(part.token_ids.shape[1] for part in full)
    # a control may lack the corrupt prompt's answer: its last candidate then counts twice
    ids = [
        torch.cat([p.token_ids, p.token_ids[:, -1:].expand(-1, width - p.token_ids.shape[1])], 1)
        for p in full
    ]
    return PairSet(
        pd.concat([part.table for part in full], ignore_index=True).drop(columns="proposal"),
        [prompt for part in full for prompt in part.clean],
        [prompt for part in full for prompt in part.corrupt],
        [span for part in full for span in part.spans],
        torch.cat(ids),
    )


def batch_noise(model: LanguageModel, pairs: PairSet, most: int = 8) -> float:
    """The noise floor of the margin, on the largest group of prompts of one length."""
    largest = max(pairs.groups().values(), key=len)[:most]
    group = pairs.take(largest)
    return noise_floor(model, group.tokens("clean"), group.token_ids, margin)


def add_margins(table: pd.DataFrame, clean: np.ndarray, corrupt: np.ndarray) -> pd.DataFrame:
    """`MARGINS` of each pair: the clean answer's in both prompts, and the corrupt answer's own."""
    before, after = margin(clean), margin(corrupt)
    has_own = (table["corrupt_answer"] != "").to_numpy()
    own = np.where(has_own, margin(corrupt, 1), np.nan)
    return table.assign(
        margin_clean=before, margin_corrupt=after, gap=before - after, margin_corrupt_answer=own
    )


def mark_passing(rows: pd.DataFrame, floor: float, min_gap: float) -> pd.DataFrame:
    """Which pairs pass: right on every prompt that has an answer, and told apart.

    Aligned, margin > 0 on the clean prompt, > 0 for the corrupt prompt's own answer where it has
    one, and a gap above the noise floor and ``min_gap``.
    """
    own = rows["margin_corrupt_answer"]
    right = (rows["margin_clean"] > 0) & (own.isna() | (own > 0))
    return rows.assign(
        within_noise=rows["gap"].abs() <= floor,
        passes=right & rows["aligned"] & (rows["gap"] > max(floor, min_gap)),
    )


def long_logits(pairs: PairSet, clean: np.ndarray, corrupt: np.ndarray) -> pd.DataFrame:
    """Logits of all candidates, one row for each prompt and candidate."""
    rows = []
    for number, row in enumerate(pairs.table.to_dict("records")):
        for column, word in enumerate(candidates(row)):
            both = float(clean[number, column]), float(corrupt[number, column])
            rows.append((row["task"], number, word, *both))
    return pd.DataFrame(rows, columns=["task", "pair_of_task", "candidate", "clean", "corrupt"])


def summarise(rows: pd.DataFrame, left_out: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Columns `SUMMARY`: accuracy with Wilson intervals, margins with bootstrap ones."""
    found = []
    for task, kind in dict.fromkeys(zip(rows["task"], rows["kind"], strict=True)):
        part, gone = (
            table[(table["task"] == task) & (table["kind"] == kind)] for table in (rows, left_out)
        )
        found.append(_summary_row(task, kind, part, len(gone), rng))
    return pd.DataFrame(found, columns=SUMMARY)


def _summary_row(
    task: str, kind: str, part: pd.DataFrame, left_out: int, rng: np.random.Generator
) -> dict[str, Any]:
    right = int((part["margin_clean"] > 0).sum())
    ends = wilson_interval(np.array([right / len(part)]), np.array([len(part)]))
    row: dict[str, Any] = {
        "task": task, "kind": kind, "pairs": len(part), "right": right,
        "accuracy": right / len(part), "low": float(ends[0][0]), "high": float(ends[1][0]),
        "chance": chance(task, part), "margin_corrupt_answer": part["margin_corrupt_answer"].mean(),
        "right_corrupt": int((part["margin_corrupt_answer"] > 0).sum()),
        "within_noise": int(part["within_noise"].sum()), "passing": int(part["passes"].sum()),
        "left_out": left_out,
    }  # fmt: skip
    for name in MARGINS[:3]:
        values = part[name].to_numpy(np.float64)
        low, high = bootstrap_mean_interval(values, rng)
        row |= {name: values.mean(), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def chance(task: str, part: pd.DataFrame) -> float:
    """Accuracy without knowledge: 1/3 of three names, else that of the most frequent answer."""
    if task.startswith("odd_one_out"):
        return 1 / 3
    return float(part["answer"].value_counts(normalize=True).max())


def choose_task(summary: pd.DataFrame, tasks: Sequence[str], min_pairs: int) -> dict[str, Any]:
    """The first task, in the order given, that the model can do with enough passing pairs.

    It can where the accuracy of its own pairs (no controls) has an interval above chance. If no
    task is like that, the one with most passing pairs, and ``above_chance`` is False. Raises
    PromptError where nothing passes at all.
    """
    own = summary[~summary["kind"].isin([*CONTROLS, "example"])]
    verdicts = []
    for task in tasks:
        rows = own[own["task"] == task]
        able = bool((rows["low"] > rows["chance"]).any())
        verdicts.append((task, able, int(rows["passing"].sum())))
    for task, able, passing in verdicts:
        if able and passing >= min_pairs:
            return {"task": task, "above_chance": True, "passing": passing}
    task, _, passing = max(verdicts, key=lambda verdict: verdict[2])
    if not passing:
        raise PromptError(
            "The model passes no pair of any task: there is nothing to sweep.",
            where="odd_one_out.tasks",
            value=", ".join(tasks),
            hint="Another model, or lower odd_one_out.grid.min_gap.",
        )
    return {"task": task, "above_chance": False, "passing": passing}
