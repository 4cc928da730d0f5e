"""Tables (CSV) and documents (JSON), written whole or not at all."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.errors import ArtifactError
from pipeline_lib.store.arrays import RERUN_HINT
from pipeline_lib.store.digests import check_digest
from pipeline_lib.store.disk import atomic_path


def write_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write a CSV table (no index, full precision, Unix line ends), whole or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: str | os.PathLike[str], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV table; ArtifactError when it is missing, broken or lacks one of ``columns``.

    Broken is also one that differs from its checksum.
    """
    try:
        check_digest(path)
        table = pd.read_csv(path, keep_default_na=True, na_values=[], low_memory=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "the table cannot be read", where=path, value=error, hint=RERUN_HINT
        ) from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ArtifactError(
            f"the table lacks the columns {missing}",
            where=path,
            value=f"it has {list(table.columns)}",
            hint=RERUN_HINT,
        )
    return table


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write a JSON document with sorted keys, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a JSON document; ArtifactError when it is missing or broken, or is no block of keys."""
    try:
        check_digest(path)
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(
            "the JSON file cannot be read", where=path, value=error, hint=RERUN_HINT
        ) from error
    if not isinstance(content, dict):
        raise ArtifactError("the JSON file holds no block of keys", where=path, hint=RERUN_HINT)
    return content
