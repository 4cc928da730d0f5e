"""Damaged artifacts, read in a process of their own: ``python -m tests.fuzz.artifacts SEED COUNT``.

A small run of every kind of file is written, a file of it damaged, and everything that reads files
is let loose on it. See `configs` for how it is watched.
"""

import json
import random
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline_lib import check, store
from pipeline_lib.artifacts import maps
from pipeline_lib.artifacts.neuron_effects import read_exact_effects
from pipeline_lib.artifacts.scores import read_scores
from pipeline_lib.errors import BagpipeError
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.manifest import check_small_files, describe_model
from pipeline_lib.store.seals import append_seal, checked_ranges
from tests.fuzz.configs import tree
from tests.fuzz.mutations import STRANGE, damaged, mutated
from tests.project import ROOT

PROVENANCE = {"params": {"code": "abc"}, "versions": {"numpy": "2"}}
UNCOVERED = ("README.md", "scores.csv", "generation_config.json")
"""Files of a shipped model that no manifest describes, because nothing reads them."""
MODEL = ROOT / "data" / "models" / "tiny-induction"


def write_files(folder: Path) -> None:
    """A file of every kind that a run leaves, and a model with its manifest."""
    rng = np.random.default_rng(0)
    neurons = {name: store.Array(np.arange(4), ("neuron",)) for name in ("layer", "neuron")}
    prompts = {name: store.Array(np.arange(6), ("prompt",)) for name in ("a", "b", "answer")}
    one = store.Array(rng.normal(size=(4, 6)).astype(np.float32), ("neuron", "prompt"))
    numbers = store.Array(rng.normal(size=(4, 9)).astype(np.float32), ("neuron", "number"))
    arrays = {**neurons, **prompts, "k_map": one, "value_logits": numbers}
    store.write_artifact(folder / "maps.h5", "maps", arrays, coords={}, provenance=PROVENANCE)
    arrays, coords = {**neurons, **prompts}, {"heuristic": ["x", "y", "z"]}
    for name in ("K", "KV"):
        for end in ("top", "bottom"):
            values = rng.random((4, 3))
            arrays[f"{name}_{end}"] = store.Array(values, ("neuron", "heuristic"))
        for column in ("row", "score", "base_rate"):
            arrays[f"{name}_found_{column}"] = store.Array(np.arange(2), (f"{name}_found",))
        coords[f"{name}_found"] = ["p", "q"]
    store.write_artifact(
        folder / "scores.h5", "scores", arrays, coords=coords, provenance=PROVENANCE
    )
    table = pd.DataFrame({"layer": range(40), "score": rng.random(40), "name": ["a,\"b'"] * 40})
    store.write_table(folder / "table.csv", table)
    store.write_json(folder / "context.json", {"numbers": [1, 2], "text": "ü"})
    shutil.copytree(MODEL, folder / "model")
    (folder / "model" / "manifest.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "model" / ".digests", ignore_errors=True)
    manifest = describe_model(folder / "model", "model", {"source": "local"})
    store.write_json(folder / "model" / "manifest.json", manifest)


def damage(path: Path, rng: random.Random) -> bool:
    """Damage bytes, or the structure of the file; whether it was sealed again after that."""
    kind = rng.random()
    if path.suffix == ".h5" and kind < 0.4:
        return _restructure(path, rng)
    if path.suffix == ".csv" and kind < 0.5:
        _change_cell(path, rng)
    elif path.suffix == ".json" and kind < 0.5:
        content = mutated(json.loads(path.read_text()), rng)
        path.write_text(json.dumps(content, default=repr, skipkeys=True))
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))
    return False


def _restructure(path: Path, rng: random.Random) -> bool:
    """Delete, rename, reshape or retype something in an HDF5 file; half of the time, seal it."""
    with h5py.File(path, "r+") as file:
        name = rng.choice([name for name in file if name != "coords"])
        kind = rng.choice(("attribute", "header", "rename", "reshape", "retype", "value", "delete"))
        if kind == "attribute":
            del file[name].attrs[rng.choice(("axes", "units"))]
        elif kind == "header":
            key = rng.choice(("format", "kind", "provenance", "digest"))
            del file.attrs[key]
            if rng.random() < 0.7:
                file.attrs[key] = rng.choice((0, -1.5, "x", "[]", "{", np.arange(3)))
        elif kind == "rename":
            file.move(name, f"{name}_")
        elif kind == "delete":
            del file[name]
        elif kind == "value":
            file[name][...] = 7
        else:
            values, attributes = file[name][...], dict(file[name].attrs)
            del file[name]
            file[name] = values[..., None] if kind == "reshape" else values.astype("S8")
            file[name].attrs.update(attributes)
        file.flush()
        ranges = checked_ranges(file)
    sealed = rng.random() < 0.5
    if sealed:
        append_seal(path, ranges)
    return sealed


def _change_cell(path: Path, rng: random.Random) -> None:
    rows = path.read_text().splitlines()
    number = rng.randrange(len(rows))
    cells = rows[number].split(",")
    cells[rng.randrange(len(cells))] = str(rng.choice(STRANGE))
    rows[number] = ",".join(cells)
    path.write_text("\n".join(rows) + "\n", errors="replace")


def read_all(folder: Path) -> list[BagpipeError]:
    """Let every reader read its file; what they raise that users may see."""
    readers = (
        lambda: _read_maps(folder / "maps.h5"),
        lambda: read_scores(folder / "scores.h5", "add"),
        lambda: read_exact_effects(folder / "scores.h5"),
        lambda: store.verify_artifact(folder / "maps.h5", "maps"),
        lambda: store.read_table(folder / "table.csv", ["layer", "score"]),
        lambda: store.read_json(folder / "context.json"),
        lambda: check_small_files(store.read_json(folder / "model" / "manifest.json")),
        lambda: read_model_shape(folder / "model"),
    )
    told = []
    for reader in readers:
        try:
            reader()
        except BagpipeError as error:
            told.append(error)
    return told


def _read_maps(path: Path) -> None:
    with store.open_artifact(path, maps.KIND) as artifact:
        maps.read_maps(artifact, "add", slice(0, 4))
        maps.read_norms(artifact)
        artifact.provenance["params"]["code"]


def run(seed: str, count: int) -> None:
    """Damage ``count`` files, one at a time; exits with the first that ends in a traceback."""
    noticed = 0
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        whole.mkdir()
        write_files(whole)
        assert len(read_all(whole)) == 1, "scores are no exact effects; all else is whole"
        assert not check.check_folders([whole], whole).findings
        paths = sorted(path for path in whole.rglob("*") if path.is_file())
        covered = {path for path in paths if path.parent.name != ".digests"} - {
            whole / "model" / file for file in UNCOVERED
        }
        for number in range(count):
            name = f"{seed}-{number}"
            print(name, flush=True)
            rng = random.Random(name)
            path = rng.choice(paths)
            content = path.read_bytes()
            try:
                sealed = damage(path, rng)
                before = tree(whole)
                told = read_all(whole)
                found = check.check_folders([whole], whole).findings
                assert tree(whole) == before, "reading changed files"
                check.report_text(check.Survey(findings=found))
            except Exception:
                sys.exit(f"damage {name} to {path.name}:\n{traceback.format_exc()}")
            assert all("Traceback" not in str(error) for error in told)
            unnoticed = not found and path.read_bytes() != content
            assert not unnoticed or sealed or path not in covered, f"check misses {name}: {path}"
            noticed += bool(found)
            path.write_bytes(content)
    assert noticed > count / 2, noticed


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
