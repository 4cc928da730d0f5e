"""Writing whole files or none, and what the disk has to say about it."""

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline_lib.errors import DiskError
from pipeline_lib.store.digests import OWN_CHECKSUMS, digest_path, record_digest, sha256_of

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EROFS, errno.EPERM)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block ends well.

    The file is on the disk before it has its name, so that a power cut leaves a whole file or
    none; its checksum is written down (see `digests`).
    """
    final = Path(path)
    temporary = temporary_path(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _put_in_place(temporary, final)
    except (OSError, RuntimeError) as error:  # HDF5 raises RuntimeError when closing fails
        told = _disk_error(error, final)
        if told is None:
            raise
        raise told from error
    finally:
        temporary.unlink(missing_ok=True)


def temporary_path(final: Path) -> Path:
    """A name that no other process writes to, not even one of another machine."""
    return final.with_name(f".{final.name}.{host_name()}.{os.getpid()}.part")


def host_name() -> str:
    """Name of this machine, of letters, digits and hyphens (at most 32)."""
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:32] or "host"


def _put_in_place(temporary: Path, final: Path) -> None:
    has_own = final.suffix in OWN_CHECKSUMS
    digest = None if has_own else sha256_of(temporary)
    _sync(temporary)
    digest_path(final).unlink(missing_ok=True)
    temporary.replace(final)
    _sync(final.parent)
    if digest is not None:
        record_digest(final, digest)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks have no fsync
            raise
    finally:
        os.close(descriptor)


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
