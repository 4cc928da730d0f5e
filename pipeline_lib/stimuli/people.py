"""Well-known people: name, profession, super-class of the profession, fame."""

from importlib import resources
from pathlib import Path

import pandas as pd

from pipeline_lib.errors import PromptError

COLUMNS = ("name", "profession", "super_class", "fame")
SHIPPED = "people.csv"


def read_people(path: str | Path | None = None) -> pd.DataFrame:
    """The shipped table of people, or one of the user's own; columns `COLUMNS`.

    ``fame`` is a coarse rank, 1 (known to those who care) to 5 (known to nearly all). Raises
    PromptError for a file that cannot be read, lacks a column, repeats a name, gives a profession
    two super-classes, or holds a fame outside 1 to 5.
    """
    shipped = resources.files(__package__).joinpath(SHIPPED)
    source = Path(path) if path else Path(str(shipped))
    try:
        table = pd.read_csv(source, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PromptError(
            "The table of people cannot be read.", where=source, value=error
        ) from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise PromptError(
            f"The table of people lacks the columns {', '.join(missing)}.",
            where=source,
            value=f"it has {', '.join(map(str, table.columns))}",
            hint=f"A CSV file with the columns {', '.join(COLUMNS)}.",
        )
    _check(table, source)
    return table[list(COLUMNS)].reset_index(drop=True)


def _check(table: pd.DataFrame, source: Path) -> None:
    fame = pd.to_numeric(table["fame"], errors="coerce")
    supers = table.groupby("profession")["super_class"].nunique()
    problems = {
        "Names stand in the table of people twice.": table["name"][table["name"].duplicated()],
        "Fame is not a whole number from 1 to 5.": table["name"][~fame.isin(range(1, 6))],
        "A profession has two super-classes.": supers.index[supers > 1],
        "People without a name, profession or super-class.": table.index[
            (table[list(COLUMNS[:3])] == "").any(axis=1)
        ],
    }
    for what, found in problems.items():
        if len(found):
            raise PromptError(what, where=source, value=", ".join(map(str, found)))


def plural(noun: str) -> str:
    """Plural of a profession or super-class: actors, actresses."""
    return f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
