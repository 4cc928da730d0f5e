"""What Snakemake wrote down about the files it made: which rule, with which parameters.

Read-only. Its records are JSON files in ``.snakemake/metadata``, named by the base64 of the path
of the output, in pieces where that is longer than a file name may be.
"""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LONGEST_NAME = 254
"""Characters of a piece of a name (Snakemake leaves room for a mark)."""


@dataclass(frozen=True)
class Record:
    """The rule that made an output, and the values of its parameters as Python writes them."""

    output: str
    rule: str
    params: tuple[str, ...]


@dataclass(frozen=True)
class Records:
    """The records of the runs in a working folder."""

    folder: Path

    @cached_property
    def exist(self) -> bool:
        """Whether Snakemake ran in this folder."""
        return (self.folder / ".snakemake" / "metadata").is_dir()

    def of(self, path: str) -> Record | None:
        """The record of a file, or of the output folder it lies in; None when no rule made it."""
        for output in (path, *map(str, Path(path).parents)):
            if output not in (".", "/") and (found := self._read(output)):
                return found
        return None

    def unfinished(self) -> int:
        """How many outputs belong to jobs that were stopped (or run now)."""
        folder = self.folder / ".snakemake" / "incomplete"
        return sum(file.is_file() for file in folder.rglob("*"))

    def _read(self, output: str) -> Record | None:
        name = urlsafe_b64encode(output.encode()).decode()
        pieces = [name[i : i + LONGEST_NAME] for i in range(0, len(name), LONGEST_NAME)]
        folders = (f"@{piece}" for piece in pieces[:-1])
        file = (self.folder / ".snakemake" / "metadata").joinpath(*folders, pieces[-1])
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return Record(output, str(found["rule"]), tuple(map(str, found.get("params") or ())))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
