"""Numbers stated in "Arithmetic Without Algorithms" (ICLR 2025, arXiv 2410.21272)."""

import re
from importlib import resources

import pandas as pd

COLUMNS = ["repo", "checkpoint", "quantity", "operator", "value", "source"]
TRAINING_STEP = re.compile(r"step\d+")


def published_numbers(repo: str | None, revision: str | None) -> pd.DataFrame:
    """What the paper states for a hub model: quantity, operator (or "all"), value (text), source.

    Models are told apart by their repository on the hub, in which capitals do not count, whatever
    they are called here. Empty for a model that the paper does not have (``repo`` None: a local
    folder), and for another training step of one that it has at a stated step.
    """
    with resources.files("pipeline_lib.published").joinpath("arithmetic.csv").open() as file:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)[COLUMNS]
    same = table["repo"].str.casefold() == (repo or "").casefold()
    if TRAINING_STEP.fullmatch(revision or ""):
        same &= table["checkpoint"] == revision
    return table.loc[same, COLUMNS[2:]].reset_index(drop=True)
