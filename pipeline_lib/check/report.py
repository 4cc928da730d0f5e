"""The survey of a run in words: what is damaged, why, and the commands that repair it."""

import shlex
from collections import Counter
from collections.abc import Sequence

from pipeline_lib.check.leftovers import Leftover
from pipeline_lib.check.survey import Finding, Survey

SHOWN = 50
"""Findings that are listed one by one; the commands name all."""
LOCKS = {
    "free": "",
    "running": "The folder is locked by a run of this machine that is alive.",
    "stale": "The folder is locked, and no snakemake of this machine runs in it. If none of "
    "another machine does: snakemake --unlock",
}
OWNERS = {
    "gone": "their processes are gone (check --remove-leftovers deletes them)",
    "running": "processes of their numbers run, so they may be in use",
    "elsewhere": "they were written on another machine: look there",
}


def report_text(
    survey: Survey, leftovers: Sequence[Leftover] = (), lock: str = "free", options: str = ""
) -> str:
    """The whole report; ``options`` are those of the snakemake command that repairs."""
    parts = [_damage(survey, options)] if survey.findings else [_summary(survey)]
    return "\n".join([*parts, *_notes(survey, leftovers, lock)]) + "\n"


def _summary(survey: Survey) -> str:
    return f"{survey.n_files} files ({survey.n_bytes / 1e6:.1f} MB) read: all are whole."


def _damage(survey: Survey, options: str) -> str:
    found = survey.findings
    lines = [f"{len(found)} damaged or missing, of {survey.n_files} files that were read:"]
    for finding in found[:SHOWN]:
        lines += ["", finding.path, f"  {finding.reason}", f"  {_maker(finding)}"]
    if len(found) > SHOWN:
        lines += ["", f"and {len(found) - SHOWN} more"]
    return "\n".join([*lines, "", *_repair(found, options)])


def _maker(finding: Finding) -> str:
    if finding.rule is None:
        return "No rule made it: restore it from where it came."
    return f"Rule: {finding.rule}"


def _repair(found: Sequence[Finding], options: str) -> list[str]:
    """The rules to run again, and the commands: delete, then run as before."""
    made = [finding for finding in found if finding.rule is not None]
    if not made:
        return ["Nothing of it can be made again by a rule that is on record."]
    rules = Counter(str(finding.rule) for finding in made)
    names = ", ".join(f"{rule} ({number})" for rule, number in sorted(rules.items()))
    files = sorted({path for finding in made for path in finding.delete})
    listed = " \\\n    ".join(map(shlex.quote, files))
    run = f"  snakemake --cores all{f' {options}' if options else ''}"
    return [
        f"Rules to run again: {names}",
        "Repair, with the options of your run; only these stages and what follows recompute:",
        f"  rm -r -- {listed}",
        run,
    ]


def _notes(survey: Survey, leftovers: Sequence[Leftover], lock: str) -> list[str]:
    """What is no damage, and good to know."""
    notes = [LOCKS[lock]] if LOCKS[lock] else []
    if survey.without_checksum:
        notes.append(
            f"{survey.without_checksum} files have no checksum on record (copied without the "
            "folders .digests, or yours): only their form was checked."
        )
    if not survey.has_records:
        notes.append("Snakemake has no records here (.snakemake/metadata), so rules are unknown.")
    if survey.unfinished:
        notes.append(
            f"{survey.unfinished} outputs belong to jobs that were stopped or run now; "
            "snakemake makes them again."
        )
    owners = Counter(leftover.owner for leftover in leftovers)
    for owner, words in OWNERS.items():
        if owners[owner]:
            notes.append(f"{owners[owner]} temporary files (.*.part), harmless; {words}.")
    return notes
