"""All files below some folders, each read whole, and what is wrong with them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_lib.check.contents import check_file
from pipeline_lib.check.records import Record, Records
from pipeline_lib.errors import ArtifactError
from pipeline_lib.logs import progress
from pipeline_lib.store.digests import OWN_CHECKSUMS, recorded_digest, sha256_of
from pipeline_lib.store.tables import read_json

MANIFEST = "manifest.json"
FETCHED = "fetch_model"
"""The rule whose record stands for all files of a downloaded model."""
CHANGED_MODEL = "the model's file is not the one its manifest describes"


@dataclass(frozen=True)
class Finding:
    """A file that is not whole."""

    path: str
    """The file, as seen from the working folder."""
    reason: str
    rule: str | None
    """The rule that makes the file; None when none is on record."""
    delete: tuple[str, ...]
    """What to delete so that the rule makes it again: the file, or the output it is a part of."""


@dataclass
class Survey:
    """What was looked at, and what was found."""

    n_files: int = 0
    n_bytes: int = 0
    without_checksum: int = 0
    without_rule: int = 0
    has_records: bool = True
    unfinished: int = 0
    findings: list[Finding] = field(default_factory=list)


def check_folders(folders: Sequence[Path], working: Path) -> Survey:
    """Read every file below the folders, block by block; ``working`` is where Snakemake runs."""
    records = Records(working)
    files = list(_files(folders))
    survey = Survey(has_records=records.exist, unfinished=records.unfinished())
    described: dict[str, str] = {}
    for path in progress(files, "checking files", unit="file"):
        name = _name(path, working)
        record = records.of(name)
        survey.n_files += 1
        survey.without_rule += record is None
        try:
            survey.n_bytes += path.stat().st_size
            check_file(path, name, record)
            has_sum = path.suffix in OWN_CHECKSUMS or recorded_digest(path) is not None
            if path.name == MANIFEST:
                described |= _described(path, working)
        except (ArtifactError, OSError) as error:
            survey.findings.append(_finding(name, error, records))
            continue
        survey.without_checksum += not has_sum and name not in described
    survey.findings += _changed_models(described, working, records)
    return survey


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    """Files below the folders in a fixed order, manifests before what they describe."""
    for folder in folders:
        for place, inside, names in os.walk(folder):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            visible = (name for name in names if not name.startswith("."))
            for name in sorted(visible, key=lambda name: (name != MANIFEST, name)):
                yield Path(place) / name


def _name(path: Path, working: Path) -> str:
    """The path as Snakemake knows it: seen from the working folder, where it lies in there."""
    whole = Path(os.path.abspath(path))
    return str(whole.relative_to(working) if whole.is_relative_to(working) else whole)


def _described(manifest: Path, working: Path) -> dict[str, str]:
    """Checksums of the files of a model by their paths, as its manifest gives them."""
    found: dict[str, Any] = read_json(manifest)
    folder, files = found.get("folder"), found.get("files")
    if not isinstance(folder, str) or not isinstance(files, dict):
        raise ArtifactError("the manifest does not say what it describes", where=manifest)
    return {_name(working / folder / name, working): str(digest) for name, digest in files.items()}


def _changed_models(described: dict[str, str], working: Path, records: Records) -> list[Finding]:
    """Files of models that differ from what their manifests say, or are gone."""
    found = []
    for name, digest in progress(described.items(), "checking models", len(described), "file"):
        try:
            if sha256_of(working / name) == digest:
                continue
            found.append(_finding(name, ArtifactError(CHANGED_MODEL), records))
        except OSError as error:
            found.append(_finding(name, error, records))
    return found


def _finding(name: str, error: Exception, records: Records) -> Finding:
    record = records.of(name) or _download_of(name, records)
    reason = str(error.strerror or error) if isinstance(error, OSError) else _words(error)
    delete = () if record is None else tuple(dict.fromkeys((name, record.output)))
    if record is not None and record.output != name and name.startswith(f"{record.output}/"):
        delete = (record.output,)
    return Finding(name, reason, record.rule if record else None, delete)


def _download_of(name: str, records: Records) -> Record | None:
    """The record of the download that a model's file came with, or of the making of the model."""
    for made in ("download.json", "planted.json"):
        if found := records.of(str(Path(name).parent / made)):
            return found
    return None


def _words(error: Exception) -> str:
    """An error in one line: what, and the value."""
    what, value = getattr(error, "what", str(error)), getattr(error, "value", None)
    return what if value is None else f"{what}: {value}"
