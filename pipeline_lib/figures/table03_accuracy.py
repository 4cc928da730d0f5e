"""Table 3: accuracy on all valid prompts (definitions 1 and 9)."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator, paths
from pipeline_lib.figures.style import COLUMN, OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure
from pipeline_lib.stimuli.arithmetic import LABELS

SPLITS = ["train", "held_out"]
REPORTED = [f"{split}_{value}" for split in SPLITS for value in ("prompts", "accuracy")]
COLUMNS = ["operator", "prompts", *LABELS, "accuracy", *REPORTED]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table from the labelled prompts, and the accuracy reported with the model if there is."""
    files = one_per_operator(inputs, "labelled", operators)
    reported = read_reported(paths(inputs.get("reported", [])))
    rows = [count_labels(op, store.read_table(path, ["label"])) for op, path in files.items()]
    table = pd.DataFrame(rows).merge(reported, on="operator", how="left")[COLUMNS]
    integers = [name for name in COLUMNS if name.endswith("prompts")]
    table = table.astype(dict.fromkeys(integers, "Int64"))
    return Drawn(draw_accuracy(table), table)


def count_labels(operator: str, labelled: pd.DataFrame) -> dict[str, Any]:
    """Prompts of each label and the share of correct ones (NaN without prompts)."""
    counts = labelled["label"].value_counts()
    found = {name: int(counts.get(name, 0)) for name in LABELS}
    total = len(labelled)
    accuracy = found["correct"] / total if total else float("nan")
    return {"operator": operator, "prompts": total, **found, "accuracy": accuracy}


def read_reported(files: Sequence[str]) -> pd.DataFrame:
    """Prompts and accuracy of training and held-out prompts by operator; empty without a file."""
    if not files:
        return pd.DataFrame(columns=["operator", *REPORTED])
    reported = store.read_table(files[0], ["operator", "split", "prompts", "accuracy"])
    parts = []
    for split in SPLITS:
        rows = reported[reported["split"] == split].set_index("operator")
        parts.append(rows[["prompts", "accuracy"]].add_prefix(f"{split}_"))
    return pd.concat(parts, axis=1).reset_index()


def draw_accuracy(table: pd.DataFrame) -> Figure:
    """The table, on two columns' width when the model's training split is known."""
    cells = pd.DataFrame(
        {
            "operator": table["operator"].map(OPERATOR_TITLES),
            "prompts": table["prompts"].map("{:,}".format),
            "correct": table["correct"].map("{:,}".format),
            "wrong number": table["incorrect"].map("{:,}".format),
            "no number": table["not_a_number"].map("{:,}".format),
            "accuracy": [_share(value) for value in table["accuracy"]],
        }
    )
    known = table[REPORTED].notna().any(axis=None)
    if known:
        cells["accuracy, training"] = [_share(value) for value in table["train_accuracy"]]
        cells["accuracy, held out"] = [
            _share(value) + (f" ({n:,})" if pd.notna(n) else "")
            for value, n in zip(table["held_out_accuracy"], table["held_out_prompts"], strict=True)
        ]
    with style():
        return table_figure(cells, width=PAGE if known else COLUMN, right=tuple(cells.columns[1:]))


def _share(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.4f}"
