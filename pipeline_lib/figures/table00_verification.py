"""Table 0: the self-test of the patching engine (definitions 10)."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError
from pipeline_lib.figures.reading import paths
from pipeline_lib.figures.style import PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

COLUMNS = [
    "name", "reference", "status", "compared", "max_abs_difference", "max_rel_difference",
    "tolerance", "note",
]  # fmt: skip


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table of a model's checks."""
    table = read_checks(paths(inputs["checks"])[0])
    return Drawn(draw_checks(table), table)


def read_checks(path: str) -> pd.DataFrame:
    """Every check of a self-test (`COLUMNS`); NaN where a number does not apply."""
    try:
        table = pd.DataFrame(store.read_json(path)["checks"], columns=COLUMNS)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            "the file is not a self-test of the engine",
            where=path,
            value=error,
            hint=store.RERUN_HINT,
        ) from error
    numbers = [name for name in COLUMNS if name.startswith("max_") or name == "tolerance"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def draw_checks(table: pd.DataFrame) -> Figure:
    """The table on two columns' width; the reason beside what is not available."""
    results = [
        f"{status}: {note}" if note else status
        for status, note in zip(table["status"], table["note"], strict=True)
    ]
    cells = pd.DataFrame(
        {
            "check": table["name"],
            "against": table["reference"],
            "compared": table["compared"].map("{:,}".format),
            "largest difference": table["max_rel_difference"].map(_number),
            "tolerance": table["tolerance"].map(_number),
            "result": results,
        }
    )
    with style():
        right = ("compared", "largest difference", "tolerance")
        return table_figure(cells, width=PAGE, right=right)


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.1e}" if value else "0"
