"""Results of jobs that ended on a cluster before the run's main process has heard of them.

A job that fails or is killed takes the results of all jobs of its allocation with it, and a main
process that is killed records nothing of those that go on without it. So jobs on a cluster leave a
second name (a hard link) of what they made, under the key of their work, and a note. The next
attempt at the same work takes the result back within milliseconds. Of results that nobody has
recorded the next main process knows from the notes: it starts their jobs again, as it must where
the configuration has changed since.
"""

import json
import os
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError

KEEP_VARIABLE = "BAGPIPE_KEEP_FINISHED"
"""Environment: "1" for jobs whose results the main process hears of later."""
NOTES = Path(".snakemake/bagpipe/finished")
RECORDS, INCOMPLETE = Path(".snakemake/metadata"), Path(".snakemake/incomplete")
DONE = "done"


def keep(outputs: Sequence[str], folder: Path) -> bool:
    """Give a job's results a second name in ``folder`` and note them; False where it has none.

    That is for folders among the results, and on disks without hard links: a copy would need the
    space twice.
    """
    early = folder / f"{DONE}.{os.getpid()}.part"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        early.mkdir(parents=True)
        for number, output in enumerate(outputs):
            os.link(output, early / str(number))
        early.rename(folder / DONE)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    note = {"outputs": list(outputs), "kept": str(folder)}
    store.write_json(NOTES / f"{folder.name}.json", note)
    return True


def take_back(outputs: Sequence[str], folder: Path) -> bool:
    """Put results kept in ``folder`` in their places; False where there are none."""
    names = [folder / DONE / str(number) for number in range(len(outputs))]
    if not all(name.exists() for name in names):
        return False
    for name, output in zip(names, outputs, strict=True):
        with store.atomic_path(output) as temporary:
            os.link(name, temporary)
            os.utime(temporary)  # Snakemake wants results younger than what they were made from
    return True


def mark_unheard(root: Path) -> list[str]:
    """Have Snakemake make results again that no main process has recorded; their names.

    Otherwise it would take them for what the present configuration gives. Nothing is lost: a job
    whose work is the same takes its result back.
    """
    marked = []
    for note, _ in _notes(root):
        for output in note["outputs"]:
            path = root / output
            if path.exists() and not _is_recorded(root, output, note["time"]):
                marker = root / INCOMPLETE / _record_name(output)
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
                marked.append(output)
    return marked


def forget_heard(root: Path) -> None:
    """After a run that ended well: drop the second names of results that have been recorded."""
    for note, path in _notes(root):
        if all(_is_recorded(root, output, note["time"]) for output in note["outputs"]):
            kept = root / note["kept"]
            shutil.rmtree(kept, ignore_errors=True)
            with suppress(OSError):
                kept.parent.rmdir()
            path.unlink(missing_ok=True)


def _notes(root: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Notes that can be read, each with the time it was written and its file."""
    for path in sorted((root / NOTES).glob("*.json")):
        try:
            note = store.read_json(path)
            yield {**note, "time": path.stat().st_mtime}, path
        except (ArtifactError, OSError):
            continue


def _is_recorded(root: Path, output: str, since: float) -> bool:
    """Whether Snakemake's record of an output is from after a time, and says who made it."""
    path = root / RECORDS / _record_name(output)
    try:
        return path.stat().st_mtime >= since and bool(json.loads(path.read_text()).get("rule"))
    except (OSError, ValueError):
        return False


def _record_name(output: str, longest: int = 255) -> Path:
    """Name of Snakemake's record of an output, in folders where it is too long for one name."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + longest - 1] for i in range(0, len(name), longest - 1)]
    return Path(*("@" + part for part in parts[:-1]), parts[-1])
