"""Whether one file is whole: each kind of file by what can be known about it.

Every function raises ArtifactError with the reason, or OSError when the file cannot be opened.
"""

import csv
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pipeline_lib.check.records import Record
from pipeline_lib.errors import ArtifactError
from pipeline_lib.store.arrays import open_artifact, told_of, verify_artifact
from pipeline_lib.store.digests import check_digest

BOOKKEEPING = ("params", "versions")
"""Keys of the provenance that are no wildcards."""
OTHER_CODE = "made by other code than the rule that Snakemake has on record for it"


def check_file(path: Path, name: str, record: Record | None) -> None:
    """Read a whole file; ``name`` is its path as its rule knows it, ``record`` what made it."""
    check_digest(path)
    if path.stat().st_size == 0 and not path.name.startswith("."):
        raise ArtifactError("the file is empty", where=path)
    if path.suffix in CHECKS:
        CHECKS[path.suffix](path)
    if path.suffix == ".h5":
        _check_origin(path, name, record)


def check_arrays(path: Path) -> None:
    """An HDF5 artifact: header, shapes, coordinates, every value."""
    verify_artifact(path, None)


def _check_origin(path: Path, name: str, record: Record | None) -> None:
    """The provenance is complete, and it is that of a file of this name."""
    with open_artifact(path, None) as artifact, told_of(path, "its provenance cannot be read"):
        found = artifact.provenance
    _check_provenance(found, path)
    for key, value in found.items():
        if key not in BOOKKEEPING and str(value) not in name:
            raise ArtifactError(
                "the file belongs elsewhere", where=path, value=f"it was made for {key} {value}"
            )
    code = found["params"].get("code")
    if record is not None and code is not None and repr(code) not in record.params:
        raise ArtifactError(OTHER_CODE, where=path, value=f"code {code}, rule {record.rule}")


def _check_provenance(found: Any, path: Path) -> None:
    whole = isinstance(found, Mapping) and all(
        isinstance(found.get(key), Mapping) for key in BOOKKEEPING
    )
    if not whole:
        raise ArtifactError("the provenance lacks parameters or versions", where=path)


def check_table(path: Path) -> None:
    """A CSV table: UTF-8, every row as long as the first, the last one ended."""
    told = told_of(path, "the table cannot be read", (ValueError, csv.Error))
    with told, path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, strict=True)
        width = len(next(rows, []))
        for row in rows:
            if len(row) != width:
                raise ArtifactError(
                    "the table is not rectangular",
                    where=path,
                    value=f"line {rows.line_num} has {len(row)} cells, the first {width}",
                )
    with path.open("rb") as raw:
        raw.seek(-1, os.SEEK_END)
        if raw.read(1) != b"\n":
            raise ArtifactError("the table is cut off in its last line", where=path)


def check_json(path: Path) -> None:
    """A JSON document: it can be read to its end."""
    with told_of(path, "the JSON file cannot be read", (ValueError, RecursionError)):
        json.loads(path.read_text(encoding="utf-8"))


def check_weights(path: Path) -> None:
    """A safetensors file: its header describes all of it."""
    told = told_of(path, "the weights cannot be read", (SafetensorError, ValueError))
    with told, safe_open(path, framework="numpy") as tensors:
        list(tensors.keys())


CHECKS: dict[str, Callable[[Path], None]] = {
    ".h5": check_arrays,
    ".csv": check_table,
    ".json": check_json,
    ".safetensors": check_weights,
}
