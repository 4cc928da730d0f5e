"""Are the results of two runs the same? Between folders, numbers of cores and numbers of threads.

``python -m benchmarks.determinism FOLDER [--configfile FILE ...]`` runs the workflow once for every
row of `RUNS` in a copy of the project under FOLDER (what is finished is not run again) and prints
how many files differ from the first run's: in their bytes, in their content, and by how much.
"""

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline_lib.store.arrays import content_digest
from tests.project import copy_project

RUNS = {"first": (2, 1), "again": (2, 1), "one_core": (1, 1), "two_threads": (2, 2)}
"""Cores of each run, and threads of its jobs."""
KINDS = (".csv", ".h5", ".json", ".md", ".html", ".png", ".pdf")
PLACES = ("data/arithmetic", "data/models/tiny-arith/manifest.json", "figs/arithmetic")


@dataclass(frozen=True)
class Comparison:
    """Files of one kind in two runs: how many, how many of them differ, and by how much at most."""

    kind: str
    files: int
    other_bytes: int
    other_content: int
    largest: float
    """Largest difference of two numbers, relative to the largest number of the same array."""


def compare(first: Path, other: Path) -> list[Comparison]:
    """What differs between two finished runs, kind by kind; ValueError when files are missing."""
    names = [files_of(folder) for folder in (first, other)]
    if names[0] != names[1]:
        raise ValueError(f"only in one of the runs: {sorted(names[0] ^ names[1])[:5]}")
    return [compare_kind(first, other, kind, names[0]) for kind in KINDS]


def files_of(folder: Path) -> set[str]:
    """What a run made, relative to its folder."""
    found = (path for place in PLACES for path in walk(folder / place))
    return {path.relative_to(folder).as_posix() for path in found}


def walk(place: Path) -> Iterator[Path]:
    """A file itself, or all files of a folder."""
    yield from [place] if place.is_file() else (p for p in place.rglob("*") if p.is_file())


def compare_kind(first: Path, other: Path, kind: str, names: set[str]) -> Comparison:
    """The files with one ending in two runs."""
    chosen = sorted(name for name in names if name.endswith(kind))
    pairs = [(first / name, other / name) for name in chosen]
    unlike = [pair for pair in pairs if pair[0].read_bytes() != pair[1].read_bytes()]
    changed = [pair for pair in unlike if content(pair[0]) != content(pair[1])]
    largest = max((distance(*pair) for pair in changed), default=0.0)
    return Comparison(kind, len(pairs), len(unlike), len(changed), largest)


def content(path: Path) -> str:
    """Digest of what a file says: of the datasets of HDF5, else of its bytes."""
    if path.suffix == ".h5":
        with h5py.File(path, "r", locking=False) as file:
            return content_digest(file)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def distance(first: Path, other: Path) -> float:
    """Largest relative difference of two files' numbers; NaN where there are none to compare."""
    arrays = [numbers(path) for path in (first, other)]
    if arrays[0].keys() != arrays[1].keys():
        return float("nan")
    gaps = [gap(arrays[0][name], arrays[1][name]) for name in arrays[0]]
    return max(gaps, default=float("nan"))


def numbers(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an HDF5 file or the number columns of a table, by name."""
    if path.suffix == ".csv":
        table = pd.read_csv(path).select_dtypes("number")
        return {str(name): table[name].to_numpy(dtype=float) for name in table}
    found: dict[str, np.ndarray] = {}
    if path.suffix == ".h5":
        with h5py.File(path, "r", locking=False) as file:
            file.visititems(lambda name, item: found.update(values(name, item)))
    return found


def values(name: str, item: h5py.Dataset | h5py.Group) -> dict[str, np.ndarray]:
    """The numbers of a dataset under its name; nothing for groups and texts."""
    is_number = isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub"
    return {name: np.asarray(item[()], dtype=float)} if is_number else {}


def gap(first: np.ndarray, other: np.ndarray) -> float:
    """Largest difference, relative to the largest number; infinite for other shapes."""
    if first.shape != other.shape:
        return float("inf")
    scale = np.nanmax(np.abs(first), initial=0.0) or 1.0
    apart = np.where(np.isnan(first) & np.isnan(other), 0.0, np.abs(first - other))
    return float(np.max(np.nan_to_num(apart, nan=np.inf), initial=0.0) / scale)


def run(folder: Path, cores: int, threads: int, configs: list[str]) -> None:
    """Run the workflow to its end in a copy of the project, which is made where there is none."""
    if not folder.exists():
        copy_project(folder)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all"]
    command += ["--configfile", *configs] if configs else []
    if threads > 1:  # Snakemake sets OMP_NUM_THREADS and its like to a rule's threads, usually one
        measured = sorted((folder.parent / "first" / "logs" / "benchmarks").iterdir())
        command += ["--set-threads", *(f"{rule.name}={threads}" for rule in measured)]
    subprocess.run(command, cwd=folder, check=True)


def main() -> None:
    """Run all variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--configfile", nargs="+", default=[])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, (cores, threads) in RUNS.items():
        run(options.folder / name, cores, threads, options.configfile)
    print("run kind files other-bytes other-content largest-difference")
    for name in list(RUNS)[1:]:
        for row in compare(options.folder / "first", options.folder / name):
            print(name, row.kind, row.files, row.other_bytes, row.other_content, row.largest)


if __name__ == "__main__":
    main()
