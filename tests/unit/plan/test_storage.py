"""Sizes of artifacts against files that the store writes."""

import numpy as np
import pytest

from pipeline_lib import store
from pipeline_lib.plan.storage import Dataset, artifact_bytes


def written(path, datasets, coords):
    with store.create_artifact(path, "test", coords=coords, provenance={"a": 1}) as writer:
        for number, dataset in enumerate(datasets):
            axes = tuple(f"axis{i}" for i in range(len(dataset.shape)))
            values = np.ones(dataset.shape, dataset.dtype)
            reserved = writer.reserve(
                f"data{number}", dataset.shape, dataset.dtype, axes, chunks=dataset.chunks
            )
            if values.size:
                reserved[...] = values
    return path.stat().st_size


@pytest.mark.parametrize(
    "datasets",
    [
        [Dataset((100, 5, 4, 4, 16)), Dataset((100, 5, 4, 256)), Dataset((100, 1009))],
        [Dataset((37, 4, 5, 3), "float64"), Dataset((37, 2), "float64")],
        [Dataset((200, 3_001), "float16", (1, 3_001))],
        [Dataset((20, 70_000), "float32", (1, 1 << 16)), Dataset((70_000,), "int64")],
    ],
    ids=["activations", "effects", "whole maps", "maps in chunks"],
)
def test_an_artifact_is_as_large_as_foreseen(tmp_path, datasets):
    names = [f"heuristic_{i}" for i in range(500)]
    size = written(tmp_path / "a.h5", datasets, {"heuristic": names})
    assert artifact_bytes(datasets, names) == pytest.approx(size, rel=0.02, abs=5_000)


def test_padding_of_the_last_chunk_counts():
    # 70,000 prompts lie in two chunks of 65,536, each with a checksum
    dataset = Dataset((1, 70_000), "float32", (1, 1 << 16))
    assert dataset.stored_bytes > 2 * 4 * (1 << 16)
    assert dataset.n_bytes == 4 * 70_000


def test_an_empty_dataset_takes_no_chunk():
    assert Dataset((0, 4)).stored_bytes == 0
