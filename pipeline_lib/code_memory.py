"""What is known about files of code, kept between processes: analysing them takes seconds.

Every start of Snakemake needs the fingerprints of all stages, also inside the jobs of a cluster.
An analysis is found again by the hash of what was analysed, so that a wrong one is never used.
"""

import hashlib
import json
import secrets
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_lib import fingerprint
from pipeline_lib.fingerprint import Reader, _Module

LEDGER = "code"
"""Folder of the records by which a change of code is explained later."""


def open_reader(root: Path, memory: Path) -> Reader:
    """A reader that knows what was kept in ``memory``; nothing if that is missing or damaged."""
    return Reader(root, _load(memory))


def keep(reader: Reader, memory: Path) -> None:
    """Write what a reader used to ``memory``, if it holds anything new and can be written."""
    if reader.used.keys() <= reader.known.keys():
        return
    modules = {key: asdict(module) for key, module in sorted(reader.used.items())}
    text = json.dumps(modules)
    whole = json.dumps({"made_by": _maker(), "checksum": _sha(text), "modules": text})
    _write_once(memory, whole)


def record(parts: dict[str, dict[str, str]], folder: Path) -> None:
    """Keep what fingerprints (the keys) are made of, one file each, to be compared later."""
    for name, hashes in parts.items():
        path = folder / f"{name}.json"
        if not path.exists():
            _write_once(path, json.dumps(hashes))


def recorded(name: str, folder: Path) -> dict[str, str] | None:
    """What a fingerprint was made of, if a run kept it."""
    try:
        found = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _load(memory: Path) -> dict[str, _Module]:
    try:
        found = json.loads(memory.read_text(encoding="utf-8"))
        text = found["modules"]
        if found["made_by"] != _maker() or found["checksum"] != _sha(text):
            return {}
        return {key: _module(values) for key, values in json.loads(text).items()}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _module(values: dict[str, Any]) -> _Module:
    lists = ("references", "file_names")
    made: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in values.items()}
    return _Module(**made)


def _maker() -> str:
    """What decides an analysis beside the file: the analysis itself, and Python."""
    code = Path(str(fingerprint.__file__)).read_bytes()
    return f"{sys.version_info[:2]} {hashlib.sha256(code).hexdigest()}"


def _write_once(path: Path, text: str) -> None:
    """Write a whole file or nothing; a folder that cannot be written costs time, no more."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
