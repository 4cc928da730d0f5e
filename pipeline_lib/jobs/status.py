"""How a run stands: done, running, failed and remaining jobs of every stage, and time left."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_lib.jobs.description import Description, Job
from pipeline_lib.jobs.traces import (
    Ending,
    is_locked,
    processes,
    read_log,
    seconds_of,
    started_outputs,
)
from pipeline_lib.jobs.why import in_order

HEADER = ("stage", "done", "running", "failed", "remaining", "a job", "left")
OTHERS = "figures"
"""Stage of a plan that stands for those that it does not name."""
Estimate = Callable[[], Mapping[str, float]]


@dataclass
class Stage:
    """Jobs of one stage by their state; times in seconds.

    ``elapsed`` are the times of running jobs so far, ``failed`` logs with their errors.
    """

    done: int = 0
    elapsed: list[float] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    remaining: int = 0
    killed: int = 0
    """Of the remaining jobs, those whose log breaks off."""
    times: list[float] = field(default_factory=list)
    """Times of finished jobs."""
    earlier: list[float] = field(default_factory=list)
    """Times of jobs that finished once and have to run again."""

    def mean(self) -> float | None:
        """Seconds that a job of this stage takes, of those that finished; None before any has."""
        known = self.times or self.earlier
        return statistics.fmean(known) if known else None

    def left(self, seconds: float | None) -> float | None:
        """Time of jobs left, each of which takes some seconds; None if that is not known."""
        waiting = self.remaining + len(self.failed)
        if not waiting and not self.elapsed:
            return 0.0
        if seconds is None:
            return None
        return waiting * seconds + sum(max(0.0, seconds - spent) for spent in self.elapsed)


def stages(description: Description, project: Path, *, alive: bool) -> dict[str, Stage]:
    """The stages in the order in which they run; ``alive``: whether marks are of running jobs."""
    marks = started_outputs(project) if alive else {}
    found: dict[str, Stage] = defaultdict(Stage)
    now = time.time()
    for number in in_order(description.jobs):
        job = description.jobs[number]
        stage = found[job.rule]
        started = [marks[output] for output in job.output if output in marks]
        if started:
            stage.elapsed.append(max(0.0, now - max(started)))
        elif job.stale:
            _add_stale(stage, job, project)
        else:
            stage.done += 1
        seconds = None if started else seconds_of(job, project)
        if seconds is not None:
            (stage.earlier if job.stale else stage.times).append(seconds)
    return dict(found)


def _add_stale(stage: Stage, job: Job, project: Path) -> None:
    logs = [(name, read_log(project / name)) for name in job.log]
    failed = [(name, log.error) for name, log in logs if log.ending is Ending.FAILED]
    if failed:
        stage.failed.append(failed[0])
        return
    stage.remaining += 1
    stage.killed += any(log.ending is Ending.OPEN for _, log in logs)


def report(description: Description, project: Path, planned: Estimate = dict) -> str:
    """The table, what failed and where its log is, and one line that sums it up.

    ``planned`` gives seconds of a job by stage, for stages of which no job has finished yet.
    """
    running = processes(project)
    locked = is_locked(project)
    alive = locked and running != []
    found = stages(description, project, alive=alive or locked)
    unknown = any(stage.mean() is None and stage.left(1.0) for stage in found.values())
    expected = planned() if unknown else {}
    seconds = {
        rule: expected.get(rule, expected.get(OTHERS)) if stage.mean() is None else stage.mean()
        for rule, stage in found.items()
    }
    rows = [_row(rule, stage, seconds[rule]) for rule, stage in found.items()]
    text = [*_table([HEADER, *rows]), *_failures(found), "", *_doubts(locked, running, found)]
    return "\n".join([*text, _summary(found, seconds)]) + "\n"


def _row(rule: str, stage: Stage, seconds: float | None) -> tuple[str, ...]:
    numbers = (stage.done, len(stage.elapsed), len(stage.failed), stage.remaining)
    left = stage.left(seconds)
    one = "" if seconds is None else ("" if stage.mean() is not None else "~") + duration(seconds)
    shown = "" if left == 0 else "?" if left is None else duration(left)
    return (rule, *(str(number or "") for number in numbers), one, shown)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return [
        "  ".join(
            f"{cell:{'<' if column == 0 else '>'}{widths[column]}}"
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def _failures(found: Mapping[str, Stage]) -> list[str]:
    failed = [one for stage in found.values() for one in stage.failed]
    lines = [f"  {log}: {error}" if error else f"  {log}" for log, error in failed]
    return ["", "Failed when they last ran:", *lines] if lines else []


def _doubts(locked: bool, running: Sequence[int] | None, found: Mapping[str, Stage]) -> list[str]:
    """What the marks of a run cannot tell."""
    lines = []
    if locked and running == []:
        lines.append(
            "A run holds this folder, but none of its processes is on this machine: it runs "
            "elsewhere, or it was killed (then: snakemake --unlock)."
        )
    if killed := sum(stage.killed for stage in found.values()):
        lines.append(f"{killed} of the remaining jobs broke off without a word; they start again.")
    return lines


def _summary(found: Mapping[str, Stage], seconds: Mapping[str, float | None]) -> str:
    totals = {
        "done": sum(stage.done for stage in found.values()),
        "running": sum(len(stage.elapsed) for stage in found.values()),
        "failed": sum(len(stage.failed) for stage in found.values()),
        "remaining": sum(stage.remaining for stage in found.values()),
    }
    line = ", ".join(f"{number} {name}" for name, number in totals.items())
    left = [stage.left(seconds[rule]) for rule, stage in found.items()]
    total = sum((part for part in left if part), 0.0)
    if not any(totals[name] for name in ("running", "failed", "remaining")):
        return f"{line}: everything is there."
    at_once = totals["running"]
    if not total:
        return f"{line}: how long they take is not known yet."
    known = f"{duration(total)} of jobs left" + (", more where it says ?" if None in left else "")
    share = f", about {duration(total / at_once)} with {at_once} at once" if at_once > 1 else ""
    return f"{line}: {known}{share}."


def duration(seconds: float) -> str:
    """Seconds as a person writes them."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"
