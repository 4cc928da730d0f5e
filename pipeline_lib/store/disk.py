"""Writing whole files or none, and what the disk has to say about it."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline_lib.errors import DiskError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EROFS, errno.EPERM)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block ends well."""
    final = Path(path)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(final)
    except (OSError, RuntimeError) as error:  # HDF5 raises RuntimeError when closing fails
        told = _disk_error(error, final)
        if told is None:
            raise
        raise told from error
    finally:
        temporary.unlink(missing_ok=True)


def _disk_error(error: Exception, path: Path) -> DiskError | None:
    """The readable form of a system error met while writing ``path``; None for other errors."""
    found = re.search(r"errno = (\d+)", str(error))  # HDF5 hides the number in its text
    number = getattr(error, "errno", None) or (int(found.group(1)) if found else None)
    if number in FULL:
        return DiskError(
            "the disk is full",
            where=path,
            hint="Free space or move data/ to a larger disk, then run snakemake again.",
        )
    if number in FORBIDDEN:
        return DiskError(
            "the folder cannot be written",
            where=path.parent,
            hint="Change its permissions or choose another working folder (snakemake --directory).",
        )
    return None


def require_space(folder: str | os.PathLike[str], n_bytes: int) -> None:
    """Refuse to start when the disk of ``folder`` has less than ``n_bytes`` free (DiskError)."""
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < n_bytes:
        raise DiskError(
            "the disk cannot hold this stage's output",
            where=folder,
            value=f"needs {n_bytes / 1e9:.2f} GB, {free / 1e9:.2f} GB are free",
            hint="Free space or move data/ to a larger disk; nothing was written.",
        )
