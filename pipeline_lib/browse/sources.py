"""Where a page's numbers come from, in words: files, digests, code and settings."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline_lib import store

SHORT = 12


def artifact_source(path: str, kind: str) -> str:
    """Name of an artifact, digest of its content, fingerprint of the code, hash of the settings."""
    with store.open_artifact(path, kind) as artifact:
        params = dict(artifact.provenance.get("params", {}))
        code = str(params.pop("code", "unknown"))
        words = [f"data {artifact.digest[:SHORT]}", f"code {code[:SHORT]}"]
    return f"{short_name(path)} ({', '.join([*words, f'settings {settings_hash(params)}'])})"


def table_source(path: str) -> str:
    """Name of a table and SHA-256 of its file."""
    return (
        f"{short_name(path)} (data {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:SHORT]})"
    )


def settings_hash(settings: dict[str, Any]) -> str:
    """Hash of config values, whatever their order."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def short_name(path: str) -> str:
    """The file and its folder."""
    return "/".join(Path(path).parts[-2:])
