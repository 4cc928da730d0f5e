"""Artifacts on disk: HDF5 arrays, CSV tables and JSON documents.

A file is written under a temporary name and renamed when complete, so a file with the right name
is always a whole one.
"""

from pipeline_lib.store.arrays import (
    RERUN_HINT,
    Array,
    Artifact,
    ArtifactWriter,
    create_artifact,
    open_artifact,
    provenance,
    verify_artifact,
    write_artifact,
)
from pipeline_lib.store.disk import atomic_path, require_space
from pipeline_lib.store.tables import read_json, read_table, write_json, write_table

__all__ = [
    "RERUN_HINT",
    "Array",
    "Artifact",
    "ArtifactWriter",
    "atomic_path",
    "create_artifact",
    "open_artifact",
    "provenance",
    "read_json",
    "read_table",
    "require_space",
    "verify_artifact",
    "write_artifact",
    "write_json",
    "write_table",
]
