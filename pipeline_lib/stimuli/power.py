"""Pairs of sentences that differ in few words: in one a person exercises power, in the other not.

A table (TSV) has the columns name, power and no_power, in any order and case; others are kept. This
module reads and checks it, and loads no tokenizer.
"""

import hashlib
import re
from pathlib import Path
from string import Formatter

import numpy as np
import pandas as pd

from pipeline_lib.errors import PromptError
from pipeline_lib.stimuli.words import occurrences

SHIPPED = Path(__file__).with_name("power.tsv")
COLUMNS = ("name", "power", "no_power")
SENTENCES = {"source": "power", "base": "no_power"}
"""Columns of the two runs of a pair: values of the source are patched into the base."""
QUESTION = (
    "In the following sentence, {entity} exercises power over someone or something else. "
    "TRUE or FALSE? Sentence: {sentence} Answer:"
)
TRUE_VARIANTS = (" TRUE", " True", " true", "TRUE", "True", "true")
FALSE_VARIANTS = (" FALSE", " False", " false", "FALSE", "False", "false")
MOST_LISTED = 10


def read_pairs(path: str | Path | None = None) -> pd.DataFrame:
    """The pairs of a TSV (by default the shipped one): line, name, power, no_power, others.

    ``line`` is the line in the file. Blank lines are skipped, cells stripped. Raises PromptError
    for a file that cannot be read or has no pairs, columns that are missing or there twice, and
    rows with empty cells, equal sentences or a name that does not occur in them (naming the lines).
    """
    path = SHIPPED if path is None else Path(path)
    lines = {n: text for n, text in enumerate(_text(path).splitlines(), start=1) if text.strip()}
    cells = {n: [cell.strip() for cell in text.split("\t")] for n, text in lines.items()}
    header = [re.sub(r"[\s_]+", "_", name).lower() for name in cells.pop(next(iter(cells), 0), [])]
    _check_columns(header, path)
    _check_rows(header, cells, path)
    table = pd.DataFrame(list(cells.values()), columns=_apart(header), dtype=str)
    table.insert(0, "line", np.array(list(cells), dtype=np.int64))
    return table[["line", *COLUMNS, *(name for name in table if name not in ("line", *COLUMNS))]]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise PromptError(
            "The table of sentence pairs cannot be read.",
            where=path,
            value=str(error).splitlines()[0],
            hint="A text file in UTF-8 with tabs between its columns and a header.",
        ) from error


def _apart(header: list[str]) -> list[str]:
    """The columns, further ones renamed where they have a name that is already taken."""
    names = ["line"]
    for name in header:
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names[1:]


def _check_columns(found: list[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in found]
    twice = [name for name in COLUMNS if found.count(name) > 1]
    if missing or twice:
        problem = f"lacks the columns {missing}" if missing else f"has the columns {twice} twice"
        raise PromptError(
            f"The table of sentence pairs {problem}.",
            where=path,
            value=f"it has {found}",
            hint="The first line names the columns name, power and no_power, parted by tabs.",
        )


def _check_rows(header: list[str], rows: dict[int, list[str]], path: Path) -> None:
    """There are rows; each has every cell, and a name that occurs in both of its sentences."""
    problems = [text for line, row in rows.items() for text in _row_problems(header, row, line)]
    if not rows:
        raise PromptError("The table of sentence pairs has no pairs.", where=path)
    if problems:
        more = len(problems) - MOST_LISTED
        listed = problems[:MOST_LISTED] + ([f"and {more} more"] if more > 0 else [])
        raise PromptError(
            "The table of sentence pairs has rows that cannot be used.",
            where=path,
            value="; ".join(listed),
            hint="Both sentences of a row hold the name as it is written there, as a whole word.",
        )


def _row_problems(header: list[str], row: list[str], line: int) -> list[str]:
    if len(row) != len(header):
        return [f"line {line}: {len(row)} cells, the header has {len(header)}"]
    cells = {name: row[header.index(name)] for name in COLUMNS}
    empty = [name for name, cell in cells.items() if not cell]
    if empty:
        return [f"line {line}: {' and '.join(empty)} empty"]
    if cells["power"] == cells["no_power"]:
        return [f"line {line}: both sentences are {cells['power']!r}"]
    return [
        f"line {line}: {cells['name']!r} does not occur in {column} {cells[column]!r}"
        for column in SENTENCES.values()
        if not occurrences(cells[column], cells["name"])
    ]


def question_problem(question: str) -> str | None:
    """What is wrong with a question, if anything: it names {entity} and, once, {sentence}."""
    try:
        fields = [name for _, name, _, _ in Formatter().parse(question) if name is not None]
    except ValueError as error:
        return f"cannot be read: {error}"
    if set(fields) != {"entity", "sentence"} or fields.count("sentence") != 1:
        return "must hold {entity}, {sentence} once, and no other field"
    if re.search(r"\{(entity|sentence)[^}]", question):
        return "must hold {entity} and {sentence} without formats"
    return None


def ask(question: str, name: str, sentence: str) -> tuple[str, int]:
    """A question about a sentence, and the character at which the sentence begins in it."""
    before, after = question.split("{sentence}")
    start = before.format(entity=name)
    return f"{start}{sentence}{after.format(entity=name)}", len(start)


def digest(path: str | Path | None = None) -> str:
    """SHA-256 of a table's bytes, first 16 hex digits; of the shipped one by default."""
    return hashlib.sha256(Path(SHIPPED if path is None else path).read_bytes()).hexdigest()[:16]
