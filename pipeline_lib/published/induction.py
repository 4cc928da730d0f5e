"""Numbers stated for the reference model of the study of induction drift (CPU, float32)."""

from importlib import resources

import pandas as pd

COLUMNS = ["repo", "quantity", "of", "value", "tolerance"]


def published_numbers(repo: str | None) -> pd.DataFrame:
    """What is stated for a hub model: quantity, of what, value, tolerance; empty for other models.

    Models are told apart by their repository, in which capitals do not count. Drift and error are
    of the three named orders; ``of`` names the symbol, the order, or the heads that are ablated to
    zero.
    """
    with resources.files("pipeline_lib.published").joinpath("induction.csv").open() as file:
        table = pd.read_csv(file, keep_default_na=False)[COLUMNS]
    same = table["repo"].str.casefold() == (repo or "").casefold()
    return table.loc[same, COLUMNS[1:]].reset_index(drop=True)
