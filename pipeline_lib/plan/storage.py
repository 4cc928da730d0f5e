"""Size of an HDF5 artifact before it is written: padded chunks, checksums, index, headers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod

import h5py
import numpy as np

from pipeline_lib.store import ArtifactWriter

CHECKSUM = 4
HEADERS = 12_000  # superblock, attributes and group headers of one artifact: measured, 9 to 14 kB
NODE_ENTRIES = 64  # of the chunk index, a B-tree whose nodes are about seven eighths full
STRING_OVERHEAD = 24  # reference and heap entry of one text


@dataclass(frozen=True)
class Dataset:
    """One dataset of an artifact; ``chunks`` None lets HDF5 choose."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    chunks: tuple[int, ...] | None = None

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file, the index of its chunks included."""
        return _stored_bytes(self)

    @property
    def n_bytes(self) -> int:
        """Bytes in memory."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


def artifact_bytes(datasets: Sequence[Dataset], texts: Sequence[str] = ()) -> int:
    """Size of an artifact file; ``texts`` are its coordinates that are names."""
    names = sum(len(text) + STRING_OVERHEAD for text in texts)
    return HEADERS + names + sum(dataset.stored_bytes for dataset in datasets)


@lru_cache(maxsize=4096)
def _stored_bytes(dataset: Dataset) -> int:
    """(chunk + checksum) times the number of chunks, at the edges too, and the B-tree."""
    if not all(dataset.shape):
        return 0
    chunk = dataset.chunks or _chosen_chunks(dataset)
    n_chunks = prod(ceil(size / part) for size, part in zip(dataset.shape, chunk, strict=True))
    data = n_chunks * (prod(chunk) * np.dtype(dataset.dtype).itemsize + CHECKSUM)
    return data + _index_bytes(n_chunks, len(chunk))


def _chosen_chunks(dataset: Dataset) -> tuple[int, ...]:
    """The chunks that the store's writer takes, asked of a file that is never written."""
    with _scratch_file() as file:
        axes = tuple("x" * len(dataset.shape))
        reserved = ArtifactWriter(file).reserve("data", dataset.shape, dataset.dtype, axes)
        return reserved.chunks


@contextmanager
def _scratch_file() -> Iterator[h5py.File]:
    with h5py.File("plan", "w", driver="core", backing_store=False) as file:
        yield file


def _index_bytes(n_chunks: int, n_axes: int) -> int:
    """B-tree of the chunks: nodes of 64 children of 8 bytes and 65 keys of 16 + 8 per axis."""
    node = 24 + 8 * NODE_ENTRIES + (NODE_ENTRIES + 1) * (16 + 8 * n_axes)
    total, level = 0, n_chunks
    while True:
        level = 1 if level <= NODE_ENTRIES else ceil(level / (NODE_ENTRIES * 7 / 8))
        total += level * node
        if level == 1:
            return total
