"""HDF5 artifacts: arrays with named axes, units, checksums, provenance and a digest.

Every dataset carries its axis names, units and a fletcher32 checksum; every axis may carry
coordinates (a dataset in the group ``coords``). The root attributes hold the format version, the
kind of artifact, its provenance (JSON) and the digest of its content; a seal of all else follows
(see `seals`).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline_lib.errors import ArtifactError
from pipeline_lib.store.disk import atomic_path, require_space
from pipeline_lib.store.seals import (
    UNREADABLE,
    append_seal,
    checked_ranges,
    content_digest,
    is_whole,
    misfits,
)

FORMAT_VERSION = 2
RERUN_HINT = "Delete the file and run snakemake again: only this stage and what follows recompute."
RECORDED_LIBRARIES = ("torch", "transformers", "numpy", "h5py", "pandas")


@dataclass(frozen=True)
class Array:
    """An array to store: its values, the name of each axis, and its units ("1" if none)."""

    values: np.ndarray
    axes: tuple[str, ...]
    units: str = "1"

    def __post_init__(self) -> None:
        if len(self.axes) != self.values.ndim:
            raise ValueError(f"{len(self.axes)} axis names for shape {self.values.shape}")


@dataclass
class ArtifactWriter:
    """An artifact being written; made by `create_artifact`."""

    file: h5py.File
    _axes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, name: str, array: Array) -> None:
        """Store a whole array."""
        dataset = self.reserve(
            name, array.values.shape, array.values.dtype, array.axes, array.units
        )
        if array.values.size:
            dataset[...] = array.values

    def reserve(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: Any,
        axes: tuple[str, ...],
        units: str = "1",
        chunks: tuple[int, ...] | None = None,
    ) -> h5py.Dataset:
        """Create a dataset to be filled slice by slice, so that memory stays bounded.

        ``chunks`` is the unit of reading, writing and checksums: whole rows of the first axis,
        about a megabyte, unless given.
        """
        checked: dict[str, Any] = {}
        if shape and all(shape):
            checked = {"chunks": chunks or _rows_of(shape, np.dtype(dtype)), "fletcher32": True}
        dataset = self.file.create_dataset(name, shape=shape, dtype=dtype, **checked)
        dataset.attrs["axes"] = list(axes)
        dataset.attrs["units"] = units
        return dataset


def _rows_of(
    shape: tuple[int, ...], dtype: np.dtype, target_bytes: int = 1 << 20
) -> tuple[int, ...]:
    """Chunk of whole rows along the first axis, of about ``target_bytes``."""
    row_bytes = dtype.itemsize * int(np.prod(shape[1:]))
    return (max(1, min(shape[0], target_bytes // row_bytes)), *shape[1:])


@dataclass(frozen=True)
class Artifact:
    """An artifact opened for reading; made by `open_artifact`. Datasets are read lazily."""

    path: Path
    file: h5py.File

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the file: model, parameters, code, library versions."""
        return json.loads(str(self.file.attrs["provenance"]))

    @property
    def digest(self) -> str:
        """SHA-256 of the datasets, recorded when the file was written."""
        return str(self.file.attrs["digest"])

    def dataset(self, name: str) -> h5py.Dataset:
        """The HDF5 dataset itself, for its shape; values are read with `read`."""
        if name not in self.file:
            raise ArtifactError(
                f"the artifact has no dataset {name!r}",
                where=self.path,
                value=f"it holds {sorted(self.file)}",
                hint=RERUN_HINT,
            )
        with told_of(self.path, f"dataset {name!r} cannot be read"):
            return self.file[name]

    def read(self, name: str, index: Any = ...) -> np.ndarray:
        """Values of a dataset, whole or at ``index``; a damaged chunk raises ArtifactError."""
        dataset = self.dataset(name)
        with told_of(self.path, f"dataset {name!r} is damaged (checksum failed)", OSError):
            return np.asarray(dataset[index])

    def axes(self, name: str) -> tuple[str, ...]:
        """Axis names of a dataset."""
        return tuple(self.dataset(name).attrs["axes"])

    def coords(self, axis: str) -> np.ndarray:
        """Coordinates along an axis: numbers, or strings as an object array."""
        dataset = self.dataset(f"coords/{axis}")
        return np.asarray(dataset.asstr()[...] if dataset.dtype.kind == "O" else dataset[...])


def provenance(wildcards: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader needs to trust a file: model, operator and seed, parameters, code, versions.

    ``wildcards`` and ``params`` are those of the rule, the code fingerprint among them. Holds no
    time and no machine, so that the same run gives the same file.
    """
    return {
        **dict(wildcards.items()),  # Snakemake's own lists of names have items and little else
        "params": dict(params.items()),
        "versions": {name: _version(name) for name in RECORDED_LIBRARIES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


@contextmanager
def create_artifact(
    path: str | os.PathLike[str],
    kind: str,
    *,
    coords: Mapping[str, Sequence[Any] | np.ndarray],
    provenance: Mapping[str, Any],
) -> Iterator[ArtifactWriter]:
    """Write an HDF5 artifact; the file appears under ``path`` only when the block ends well."""
    with atomic_path(path) as temporary:
        with h5py.File(temporary, "w", locking=False) as file:
            for axis, values in coords.items():
                _write_coords(file, axis, np.asarray(values))
            yield ArtifactWriter(file)
            file.attrs["format"] = FORMAT_VERSION
            file.attrs["kind"] = kind
            file.attrs["provenance"] = json.dumps(provenance, sort_keys=True, default=str)
            file.attrs["digest"] = content_digest(file)
            file.flush()
            ranges = checked_ranges(file)
        append_seal(temporary, ranges)


def _write_coords(file: h5py.File, axis: str, values: np.ndarray) -> None:
    if values.dtype.kind in "UO":
        file.create_dataset(f"coords/{axis}", data=values.astype(object), dtype=h5py.string_dtype())
    else:
        file.create_dataset(f"coords/{axis}", data=values)


def write_artifact(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, Array],
    *,
    coords: Mapping[str, Sequence[Any] | np.ndarray],
    provenance: Mapping[str, Any],
) -> None:
    """Write an artifact whose arrays are all in memory; DiskError when the disk cannot hold it."""
    require_space(Path(path).parent, sum(array.values.nbytes for array in arrays.values()))
    with create_artifact(path, kind, coords=coords, provenance=provenance) as writer:
        for name, array in arrays.items():
            writer.add(name, array)


Kinds = type[Exception] | tuple[type[Exception], ...]


@contextmanager
def told_of(path: str | os.PathLike[str], what: str, kinds: Kinds = UNREADABLE) -> Iterator[None]:
    """What h5py raises for a damaged file (``kinds``) as an ArtifactError."""
    try:
        yield
    except kinds as error:
        reason = str(error) or type(error).__name__
        raise ArtifactError(what, where=path, value=reason, hint=RERUN_HINT) from error


@contextmanager
def open_artifact(path: str | os.PathLike[str], kind: str | None) -> Iterator[Artifact]:
    """Open an artifact of the given kind (None: of any); ArtifactError when it is none.

    Also when it is not a whole one: all but the values of large datasets is verified here, and
    those are when they are read.
    """
    path = Path(path)
    if not path.exists():
        raise ArtifactError("the artifact does not exist", where=path, hint="Run snakemake.")
    with told_of(path, "the file cannot be read"):
        _check_seal(path)
        file = h5py.File(path, "r", locking=False)
    with file:
        with told_of(path, "the artifact is damaged (its header cannot be read)"):
            _check_header(file, path, kind)
        yield Artifact(path, file)


def _check_seal(path: Path) -> None:
    """All but the values of large datasets is as it was written; nothing is read by HDF5 before."""
    whole = is_whole(path)
    if whole is None:
        raise ArtifactError(
            "the file is truncated or not HDF5, or was not written by this version of Bagpipe",
            where=path,
            hint=RERUN_HINT,
        )
    if not whole:
        raise ArtifactError(
            "the artifact is damaged (header, coordinates or shapes are not what was written)",
            where=path,
            hint=RERUN_HINT,
        )


def _check_header(file: h5py.File, path: Path, kind: str | None) -> None:
    found = int(file.attrs["format"])
    if found != FORMAT_VERSION:
        raise ArtifactError(
            "the artifact has another format version",
            where=path,
            value=f"found {found}, this version reads {FORMAT_VERSION}",
            hint=RERUN_HINT,
        )
    if kind is not None and file.attrs["kind"] != kind:
        raise ArtifactError(
            f"expected an artifact of kind {kind!r}",
            where=path,
            value=file.attrs["kind"],
            hint="Check that the path belongs to this stage.",
        )
    for misfit in misfits(file):
        raise ArtifactError(
            "the artifact has datasets of wrong shape", where=path, value=misfit, hint=RERUN_HINT
        )


def verify_artifact(path: str | os.PathLike[str], kind: str | None) -> None:
    """Read every value and compare the digest with the recorded one; ArtifactError otherwise."""
    with open_artifact(path, kind) as artifact:
        with told_of(path, "the artifact is damaged (checksum failed)"):
            found = content_digest(artifact.file)
        if found != artifact.digest:
            raise ArtifactError(
                "the artifact's content does not match its digest",
                where=path,
                value=f"recorded {artifact.digest[:12]}, found {found[:12]}",
                hint=RERUN_HINT,
            )
