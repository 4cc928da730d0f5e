"""The published values of a model beside what is found here."""

import re

import numpy as np
import pandas as pd

from pipeline_lib.induction.ablation import Subject, no_head, set_of
from pipeline_lib.induction.measures import p_x
from pipeline_lib.stimuli.sequences import NAMED

EXPECTED_COLUMNS = ["quantity", "of", "expected", "found", "tolerance", "within"]


def check_published(subject: Subject, published: pd.DataFrame) -> pd.DataFrame:
    """Every published value, what is found, and whether it is within the tolerance.

    ``subject`` is of the symbols X and Y, ``published`` as `published_numbers` gives it; without
    rows for a model that has none. Columns `EXPECTED_COLUMNS`.
    """
    rows = []
    for row in published.to_dict("records"):
        quantity, of = str(row["quantity"]), str(row["of"])
        expected, tolerance = float(row["value"]), float(row["tolerance"])
        found = found_value(subject, quantity, of)
        within = bool(abs(found - expected) <= tolerance)
        rows.append((quantity, of, expected, found, tolerance, within))
    return pd.DataFrame(rows, columns=EXPECTED_COLUMNS)


def found_value(subject: Subject, quantity: str, of: str) -> float:
    """One quantity of the subject; ValueError for an unknown one."""
    if quantity == "token_id":
        return float(subject.prompts.symbol_ids[subject.prompts.symbols.index(of)])
    if quantity == "p_x":
        clean = p_x(subject.logits(no_head(subject.model), "zero"))[0]
        return float(clean[subject.prompts.orders.index(NAMED[of])])
    if quantity == "drift_reduction":
        return found_value(subject, "drift", "") - found_value(subject, "drift", of)
    if quantity not in ("drift", "mae"):
        raise ValueError(f"no published quantity is called {quantity!r}")
    mask = set_of(subject.model, heads_in(of))[None]
    return float(np.asarray(subject.measured(mask, "zero")[f"named_{quantity}"])[0])


def heads_in(text: str) -> list[tuple[int, int]]:
    """Heads in a text such as "L1H6 L0H3"."""
    return [(int(layer), int(head)) for layer, head in re.findall(r"L(\d+)H(\d+)", text)]
