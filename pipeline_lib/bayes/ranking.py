"""The heads that carry most, in order."""

import pandas as pd


def rank_heads(heads: pd.DataFrame, control: pd.DataFrame, top: int) -> pd.DataFrame:
    """The heads with the largest recovery either way, each beside its control."""
    key = ["layer", "component"]
    ends = ["effect", "low", "high"]
    beside = control[key + ends].rename(columns={name: f"control_{name}" for name in ends})
    found = heads.merge(beside, on=key)
    order = found["effect"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order].dropna(subset=["effect"]).head(top).reset_index(drop=True)
