"""Checksums of files that hold none themselves: tables, documents, pictures, pages.

The SHA-256 of ``folder/name`` stands in ``folder/.digests/name.sha256``, as the program sha256sum
writes it. It is taken away before a file is replaced and written after, so a run that is killed in
between leaves a file without checksum, never one with a wrong checksum. Copies and downloads
without the hidden folder are read without this check.
"""

import hashlib
import os
import re
from pathlib import Path

from pipeline_lib.errors import ArtifactError

FOLDER = ".digests"
OWN_CHECKSUMS = (".h5",)
"""Files that hold their checksums."""
CHANGED = "the file is not what was written (its SHA-256 has changed)"


def digest_path(path: str | os.PathLike[str]) -> Path:
    """Where the checksum of a file stands."""
    path = Path(path)
    return path.parent / FOLDER / f"{path.name}.sha256"


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_digest(path: Path, digest: str) -> None:
    """Write down the checksum of a file."""
    beside = digest_path(path)
    beside.parent.mkdir(exist_ok=True)
    beside.write_text(f"{digest}  {path.name}\n", encoding="utf-8")


def recorded_digest(path: str | os.PathLike[str]) -> str | None:
    """The checksum written down for a file; None when there is none that can be read."""
    try:
        text = digest_path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.match(r"[0-9a-f]{64}\b", text)
    return found.group() if found else None


def check_digest(path: str | os.PathLike[str]) -> None:
    """Raise ArtifactError when a file differs from what its checksum says; OSErrors go on."""
    expected = recorded_digest(path)
    if expected is None:
        return
    found = sha256_of(path)
    if found != expected:
        raise ArtifactError(
            CHANGED,
            where=path,
            value=f"recorded {expected[:12]}, found {found[:12]}",
            hint="Delete the file and run snakemake again: only this stage and what follows "
            f"recompute. If the change is meant, delete {digest_path(path)}.",
        )
