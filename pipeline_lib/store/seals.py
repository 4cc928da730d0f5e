"""What an HDF5 artifact says about itself, so that any damage to it can be told.

HDF5 keeps a checksum of the values of every large dataset (fletcher32), but none of what describes
them, and a damaged description can keep the HDF5 library busy for ever. So a seal follows the HDF5
data in the same file, where HDF5 does not look: the SHA-256 of all bytes that are no such values,
compared before HDF5 reads anything. The seal covers header, provenance, shapes, the places of the
values, coordinates and scalars. So a stage that reads a part of a file notices damage to it.

The digest, in the header, is the SHA-256 of all values; it is compared by `verify_artifact` alone,
because that reads the whole file.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)
"""What h5py raises for damaged files (OverflowError and UnicodeError are among them)."""
MARK = b"bagpipe1"
"""The last bytes of a sealed file; before them the length of the seal, before that the seal."""
LENGTH = struct.Struct(">Q")
BLOCK_BYTES = 1 << 22
Range = tuple[int, int]
"""First byte, and the one behind the last."""


def content_digest(file: h5py.File) -> str:
    """SHA-256 over names, axes, dtypes, shapes and values of every dataset, in name order."""
    total = hashlib.sha256()
    for name, dataset in datasets_of(file):
        axes = list(dataset.attrs.get("axes", []))
        total.update(f"{name}|{axes}|{dataset.dtype}|{dataset.shape}\n".encode())
        for block in _blocks(dataset):
            if block.dtype.kind == "O":
                total.update("\x1f".join(map(str, block.ravel())).encode())
            else:
                total.update(block.tobytes())
    return total.hexdigest()


def checked_ranges(file: h5py.File) -> list[Range]:
    """Where in the file the values lie that HDF5 has checksums of, merged and in order.

    Of a file that is being written, all must be flushed before.
    """
    found: list[Range] = []
    for _, dataset in datasets_of(file):
        if dataset.fletcher32:
            dataset.id.chunk_iter(
                lambda chunk: found.append((chunk.byte_offset, chunk.byte_offset + chunk.size))
            )
    return _merged(found)


def append_seal(path: Path, ranges: list[Range]) -> None:
    """Seal a closed HDF5 file; ``ranges`` are its `checked_ranges`."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        seal = {"size": size, "values": ranges, "sha256": _sum_outside(file, ranges, size)}
        text = json.dumps(seal).encode()
        file.seek(size)
        file.write(text + LENGTH.pack(len(text)) + MARK)


def is_whole(path: Path) -> bool | None:
    """Whether a file is as it was sealed; None when it has no seal at its end."""
    end = path.stat().st_size - len(MARK) - LENGTH.size
    if end < 0:
        return None
    with path.open("rb") as file:
        file.seek(end)
        (length,), mark = LENGTH.unpack(file.read(LENGTH.size)), file.read()
        if mark != MARK:
            return None
        if length > end:
            return False
        file.seek(end - length)
        try:
            seal = json.loads(file.read(length))
            size, ranges = int(seal["size"]), [(int(a), int(b)) for a, b in seal["values"]]
            found = _sum_outside(file, ranges, size)
            return bool(size == end - length and found == seal["sha256"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return False


def _sum_outside(file: BinaryIO, ranges: list[Range], size: int) -> str:
    """SHA-256 over ``ranges`` and the first ``size`` bytes of a file that are in none of them."""
    total = hashlib.sha256(json.dumps([size, ranges]).encode())
    for start, stop in zip(
        [0, *(b for _, b in ranges)], [*(a for a, _ in ranges), size], strict=True
    ):
        file.seek(start)
        left = stop - start
        while left > 0 and (block := file.read(min(left, BLOCK_BYTES))):
            total.update(block)
            left -= len(block)
    return total.hexdigest()


def _merged(ranges: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, stop in sorted(ranges):
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return merged


def datasets_of(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    """All datasets of a file with their paths, in the order of these."""
    found: dict[str, h5py.Dataset] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(keep)
    return sorted(found.items())


def misfits(file: h5py.File) -> Iterator[str]:
    """Where shapes, axis names and coordinates of an artifact contradict each other, in words."""
    found = dict(datasets_of(file))
    for name, dataset in found.items():
        if name.startswith("coords/"):
            continue
        axes = [str(axis) for axis in dataset.attrs.get("axes", [])]
        if len(axes) != dataset.ndim:
            yield f"{name} has shape {dataset.shape} and axes {axes}"
            continue
        for axis, length in zip(axes, dataset.shape, strict=True):
            labels = found.get(f"coords/{axis}")
            if labels is not None and labels.shape != (length,):
                yield f"{name} has {length} along {axis}, which has coordinates {labels.shape}"


def _blocks(dataset: h5py.Dataset) -> Iterator[np.ndarray]:
    """The dataset in slices along its first axis of about `BLOCK_BYTES`."""
    if dataset.ndim == 0 or dataset.size == 0:
        yield np.asarray(dataset[()])
        return
    row_bytes = max(1, dataset.dtype.itemsize * dataset.size // dataset.shape[0])
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, dataset.shape[0], step):
        yield np.asarray(dataset[start : start + step])
