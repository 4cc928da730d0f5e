"""SHA-256 of files, which are read again only when they are other files than before.

Times do not say whether a file changed: a copy is newer than what it was copied from, and other
weights that are moved into a folder are as old as they were. So stages go by content.
"""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pipeline_lib.errors import DiskError
from pipeline_lib.store.digests import sha256_of
from pipeline_lib.store.disk import atomic_path

UNSETTLED = 2.0
"""Seconds in which a file may change again without looking like another one."""


def checksums(files: Iterable[Path], cache: Path, *, keep: bool = True) -> dict[str, str]:
    """SHA-256 of the files by their names, in order.

    ``cache`` remembers what was read: a file is read again when its size, times, place on the disk
    or name differ. A cache that is broken or cannot be written only costs the time of reading, as
    does one that is not to be written (``keep``).
    """
    known = _remembered(cache)
    found, new = {}, {}
    for file in sorted(files):
        state = _state(file)
        before, digest = known.get(str(file), ("", ""))
        found[file.name] = digest if state == before else sha256_of(file)
        if state != before and _is_settled(file):
            new[str(file)] = (state, found[file.name])
    if new and keep:
        _remember(cache, known | new)
    return found


def _state(file: Path) -> str:
    """What differs when a file is another one: also when its time and size are the same."""
    stat = file.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def _is_settled(file: Path) -> bool:
    """Whether the file's times are old enough to tell its next change from this one."""
    stat = file.stat()
    return time.time() - max(stat.st_mtime, stat.st_ctime) > UNSETTLED


def _remembered(cache: Path) -> dict[str, tuple[str, str]]:
    """State and checksum by path; nothing when the cache is missing or is not one."""
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        return {str(path): (str(state), str(digest)) for path, (state, digest) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(cache: Path, known: dict[str, tuple[str, str]]) -> None:
    """Write the cache, without the files that are gone; not being able to is no error."""
    here = {path: value for path, value in known.items() if os.path.exists(path)}
    with suppress(OSError, DiskError), atomic_path(cache) as temporary:
        temporary.write_text(json.dumps(here, indent=1, sort_keys=True), encoding="utf-8")
