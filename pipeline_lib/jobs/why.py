"""Why jobs have to run: per stage, because of which key, file or module."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.code_memory import recorded
from pipeline_lib.jobs.description import Description, Job
from pipeline_lib.jobs.params import changes

Parts = Mapping[str, str]
SHOWN, STAGES_SHOWN = 2, 4
"""Files or modules, and stages, that are named of one cause."""


@dataclass(frozen=True, order=True)
class Cause:
    """One reason of one job: what happened, to what, from what to what."""

    what: str
    subject: str = ""
    detail: str = ""


def causes(job: Job, description: Description, ledger: Path) -> list[Cause]:
    """All reasons of a job: its own, then the stages before it that have to run.

    ``ledger`` is the folder in which runs record what fingerprints are made of.
    """
    own = [
        *_of_files(job),
        *(_of_params(job, description.code, ledger) if job.params_changed else ()),
        *([Cause("software environment changed")] if job.environment_changed else []),
        *([Cause("no record of how it was made")] if job.no_record else []),
    ]
    stages = sorted({description.jobs[n].rule for n in job.needs if description.jobs[n].stale})
    followed = [Cause("follows", stage) for stage in stages] if job.follows else []
    return own + followed or [Cause("asked for")]


def _of_files(job: Job) -> Iterator[Cause]:
    for file in job.incomplete:
        yield Cause("interrupted, output incomplete:", file)
    for file in job.missing:
        yield Cause("output missing:", file)
    for update in job.updated:
        then, now = update["then"], update["now"]
        detail = f"{_digest(then)} -> {_digest(now)}" if then and now else "newer"
        yield Cause("input changed:", update["file"], detail)
    if job.input_changed and job.before:
        before, now = Counter(job.before["input"]), Counter(job.input)
        yield from (Cause("input is new:", file) for file in sorted((now - before).keys()))
        yield from (Cause("input is gone:", file) for file in sorted((before - now).keys()))


def _of_params(job: Job, code: Mapping[str, Parts], ledger: Path) -> Iterator[Cause]:
    compared = Counter(job.recorded_params)
    now = {name: value for name, value in job.params.items() if compared[value] > 0}
    for change in changes((job.before or {}).get("params") or [], now, job.keys):
        if change.key == "param code" and change.before and change.now:
            yield from _of_code(change.before.strip("'"), change.now.strip("'"), code, ledger)
        elif change.now is None:
            yield Cause(f"{change.key} is gone:", "", str(change.before))
        elif change.before is None:
            yield Cause(f"{change.key} is new:", "", change.now)
        else:
            yield Cause(f"{change.key}:", "", f"{change.before} -> {change.now}")


def _of_code(before: str, now: str, code: Mapping[str, Parts], ledger: Path) -> Iterator[Cause]:
    """The modules that differ, where a run recorded those of then; else the fingerprint."""
    then = recorded(before, ledger)
    if then is None or now not in code:
        yield Cause("code changed", "", f"{before[:6]} -> {now[:6]}")
        return
    for name in sorted(then.keys() | code[now].keys()):
        old, new = then.get(name), code[now].get(name)
        if old is None:
            yield Cause("code is new:", name)
        elif new is None:
            yield Cause("code is no longer used:", name)
        elif old != new:
            yield Cause("code changed:", name, f"{old[:6]} -> {new[:6]}")


def _digest(checksum: str) -> str:
    return checksum.rpartition(":")[2][:6]


def explanation(description: Description, ledger: Path) -> str:
    """A block per stage, in the order in which they run: jobs, and their reasons."""
    stages: dict[str, list[list[Cause]]] = defaultdict(list)
    for number in in_order(description.jobs):
        job = description.jobs[number]
        if job.stale:
            stages[job.rule].append(causes(job, description, ledger))
    if not stages:
        return "Nothing is stale: all files are there and made as the configuration says.\n"
    width = max(map(len, stages))
    lines = []
    for stage, jobs in stages.items():
        head = f"{stage:{width}} {_counted(len(jobs), 'job'):>9}  "
        lines += [
            f"{head if n == 0 else ' ' * len(head)}{line}" for n, line in enumerate(_lines(jobs))
        ]
    total = sum(map(len, stages.values()))
    rest = len(description.jobs) - total
    lines.append(
        f"\n{_counted(total, 'job')} of {_counted(len(stages), 'stage')} "
        f"{'is' if total == 1 else 'are'} stale; {rest} {'is' if rest == 1 else 'are'} up to date."
    )
    return "\n".join(lines) + "\n"


def _lines(jobs: list[list[Cause]]) -> Iterator[str]:
    """The reasons of a stage's jobs, each once, with how many jobs have it unless all have."""
    groups: dict[str, list[Cause]] = defaultdict(list)
    holders: dict[str, int] = Counter()
    for job in jobs:
        for what in {cause.what for cause in job}:
            holders[what] += 1
        for cause in job:
            if cause not in groups[cause.what]:
                groups[cause.what].append(cause)
    for what, found in groups.items():
        shown = found[: STAGES_SHOWN if what == "follows" else SHOWN]
        told = ", ".join(_one(cause) for cause in shown)
        more = f" and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
        some = f"  [{holders[what]} of {len(jobs)} jobs]" if holders[what] < len(jobs) else ""
        yield f"{what} {told}{more}".rstrip() + some


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _one(cause: Cause) -> str:
    if cause.subject and cause.detail:
        return f"{cause.subject} ({cause.detail})"
    return cause.subject or cause.detail


def in_order(jobs: list[Job]) -> list[int]:
    """Numbers of the jobs, stage by stage: a stage comes after those it needs."""
    depths: dict[int, int] = {}
    for start in range(len(jobs)):
        waiting = [start]
        while waiting:
            number = waiting[-1]
            unknown = [other for other in jobs[number].needs if other not in depths]
            waiting += reversed(unknown)
            if not unknown:
                needed = (depths[other] for other in jobs[number].needs)
                depths[waiting.pop()] = 1 + max(needed, default=0)
    stages: dict[str, int] = defaultdict(int)
    for number, depth in depths.items():
        stages[jobs[number].rule] = max(stages[jobs[number].rule], depth)
    return sorted(depths, key=lambda number: (stages[jobs[number].rule], jobs[number].rule))
