"""A plan as text: a table for each model, totals, assumptions, and one line for machines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.config.root import SISTERS
from pipeline_lib.plan.assumptions import (
    ARITHMETIC_NOTES,
    GPU_TFLOPS,
    NOTES,
    PROMPT_NOTE,
    SISTER_NOTES,
    UNKNOWN_NOTE,
    core_tflops,
)
from pipeline_lib.plan.model_stages import n_knocked_out, silenced_flops
from pipeline_lib.plan.planning import ModelPlan
from pipeline_lib.plan.stages import Stage, Work

SWITCHES = ", ".join(f"{name}.enabled" for name in ("arithmetic", *SISTERS))
NOTHING = f"No study is switched on: set one of {SWITCHES}, or name a study (--study).\n"
HEADER = ("stage", "jobs", "FLOPs", "hours", "memory", "disk")
CSV_COLUMNS = (
    "study",
    "model",
    "stage",
    "jobs",
    "flops",
    "core_hours",
    "gpu_hours",
    "memory_bytes",
    "disk_bytes",
)


@dataclass(frozen=True)
class Throughput:
    """10^12 FLOPs a second that one job reaches, on GPUs or on a processor core."""

    tflops: float
    on_gpu: bool
    source: str = "assumed"

    def hours(self, stage: Stage) -> tuple[float, float]:
        """Core-hours and GPU-hours of a stage; one of them is 0."""
        hours = stage.hours(self.tflops)
        if stage.gpus and self.on_gpu:
            return 0.0, hours * stage.gpus
        return hours, 0.0

    def __str__(self) -> str:
        where = "a job on GPUs" if self.on_gpu else "a processor core"
        return f"{self.tflops:.3g} TFLOP/s for {where}, {self.source}"


ThroughputOf = Callable[[ModelPlan], Throughput]


def assumed_throughput(plan: ModelPlan) -> Throughput:
    """What is taken where nothing is stated or measured."""
    on_gpu = plan.work.gpus > 0
    return Throughput(GPU_TFLOPS if on_gpu else core_tflops(plan.shape.d_model), on_gpu)


def stated_throughput(tflops: float) -> ThroughputOf:
    """The same throughput for every model."""
    return lambda plan: Throughput(tflops, plan.work.gpus > 0, "as stated")


def plan_table(plans: Sequence[ModelPlan], throughput: ThroughputOf) -> pd.DataFrame:
    """One row for each model and stage (`CSV_COLUMNS`)."""
    rows = []
    for plan in plans:
        rate = throughput(plan)
        for stage in plan.stages:
            sizes = (stage.memory_bytes, stage.disk_bytes)
            of = (plan.work.study_name, plan.name, stage.rule)
            rows.append((*of, stage.jobs, stage.flops, *rate.hours(stage), *sizes))
    return pd.DataFrame(rows, columns=list(CSV_COLUMNS))


def plan_text(plans: Sequence[ModelPlan], throughput: ThroughputOf) -> str:
    """The whole report; checkpoints of one model that cost the same share a table."""
    table = plan_table(plans, throughput)
    blocks = [_block(group, throughput(group[0])) for group in _groups(plans)] or [NOTHING]
    totals = _totals(table)
    notes = "\n".join(
        f"- {note}" for note in (*_rates(plans, throughput), *_expected(plans), *_notes(plans))
    )
    machine = " ".join(f"{name}={value}" for name, value in totals.items())
    text = "\n".join((*blocks, _total_line(totals), "", notes, ""))
    return f"{text}\nmodels={len({plan.name for plan in plans})} {machine}\n"


def _groups(plans: Sequence[ModelPlan]) -> list[list[ModelPlan]]:
    groups: dict[object, list[ModelPlan]] = {}
    for plan in plans:
        base = plan.name.partition("@")[0]
        key = (plan.work.study_name, base, plan.shape, plan.stages)
        groups.setdefault(key, []).append(plan)
    return list(groups.values())


def _block(group: Sequence[ModelPlan], rate: Throughput) -> str:
    first, n = group[0], len(group)
    rows = [HEADER, *(_row(stage.times(n), rate) for stage in first.stages)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = [
        "  ".join(
            (cell.rjust if i else cell.ljust)(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join((_title(group), *lines, ""))


def _title(group: Sequence[ModelPlan]) -> str:
    work, shape = group[0].work, group[0].shape
    name = work.name if len(group) == 1 else f"{work.name} and {len(group) - 1} more checkpoints"
    if isinstance(work, Work):
        read = f"numbers to {work.max_number}"
    else:
        name, read = f"{name}, {work.study_name}", f"{work.n_tokens} tokens at most"
    return (
        f"{name}: {shape.n_layers} layers, {shape.n_heads} heads, d_model {shape.d_model:,}, "
        f"{shape.d_mlp:,} neurons a layer, {_short(shape.n_parameters)} parameters, "
        f"{work.dtype}, {read}"
    )


def _row(stage: Stage, rate: Throughput) -> tuple[str, ...]:
    core, gpu = rate.hours(stage)
    hours = f"{gpu:.3f} GPU" if gpu else f"{core:.3f} core"
    memory, disk = _bytes(stage.memory_bytes), _bytes(stage.disk_bytes)
    return (stage.rule, f"{stage.jobs:,}", _short(stage.flops), hours, memory, disk)


def _totals(table: pd.DataFrame) -> dict[str, str]:
    """Sums of all columns but memory, of which the largest counts."""
    peak = 0 if table.empty else int(table["memory_bytes"].max())
    return {
        "jobs": str(int(table["jobs"].sum())),
        "flops": f"{sum(table['flops']):.4e}",
        "core_hours": f"{table['core_hours'].sum():.3f}",
        "gpu_hours": f"{table['gpu_hours'].sum():.3f}",
        "peak_memory_bytes": str(peak),
        "disk_bytes": str(int(table["disk_bytes"].sum())),
    }


def _total_line(totals: Mapping[str, str]) -> str:
    return (
        f"total: {int(totals['jobs']):,} jobs, {_short(float(totals['flops']))}FLOP, "
        f"{totals['core_hours']} core-hours, {totals['gpu_hours']} GPU-hours, "
        f"up to {_bytes(int(totals['peak_memory_bytes']))} of memory in a job, "
        f"{_bytes(int(totals['disk_bytes']))} on disk"
    )


def _rates(plans: Sequence[ModelPlan], throughput: ThroughputOf) -> list[str]:
    rates: dict[str, list[str]] = {}
    for plan in plans:
        names = rates.setdefault(str(throughput(plan)), [])
        names += [base] if (base := plan.name.partition("@")[0]) not in names else []
    hint = "; state yours with --throughput, or --calibrate"
    return [
        f"Throughput ({', '.join(names)}): {rate}{hint if rate.endswith('assumed') else ''}."
        for rate, names in rates.items()
    ]


def _expected(plans: Sequence[ModelPlan]) -> list[str]:
    """Assumption about the knockouts by heuristic, and what each further heuristic costs."""
    notes = []
    for group in _groups(plans):
        work = group[0].work
        if not isinstance(work, Work):
            continue
        counts = [n_knocked_out(work, size) for size in work.sizes]
        most = max((size.n_heuristics for size in work.sizes), default=0)
        knockouts = work.study.knockouts
        runs = len(knockouts.ablations) * (1 + knockouts.by_heuristic.draws)
        each = runs * 2 * knockouts.by_heuristic.prompts * silenced_flops(work)
        notes.append(
            f"knock_out_heuristics ({work.name}): {max(counts, default=0)} heuristics an operator "
            f"are expected to have enough neurons, of up to {most:,}; "
            f"each costs {_short(each)}FLOP, with its random sets and all ablations."
        )
    return notes


def _notes(plans: Sequence[ModelPlan]) -> Iterator[str]:
    """Assumptions of all plans, of arithmetic, of the studies beside it that are planned."""
    studies = list(dict.fromkeys(plan.work.study_name for plan in plans))
    yield from NOTES
    yield from ARITHMETIC_NOTES if "arithmetic" in studies else ()
    for study in studies:
        if study != "arithmetic":
            yield f"{study}: {SISTER_NOTES.get(study, UNKNOWN_NOTE)}"
    if any(study in SISTER_NOTES for study in studies):
        yield PROMPT_NOTE


def _short(value: int | float) -> str:
    """A number with three digits and its prefix: 1.24 T."""
    for power, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if value >= 10**power:
            return f"{value / 10**power:.3g} {prefix}"
    return f"{value:.3g} " if value else "0 "


def _bytes(value: int) -> str:
    return f"{_short(value)}B"
