"""Tables of calibration: a row per neuron, a row per link of their chains, and what they match."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline_lib.heuristics.calibration.chains import Link
from pipeline_lib.heuristics.calibration.families import FAMILIES
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind, MapScores
from pipeline_lib.heuristics.table import MATCH_COLUMNS, best_of, described, scores_of
from pipeline_lib.stats import benjamini_hochberg

NEURON_COLUMNS = [
    "layer",
    "neuron",
    "heuristic",
    "evidence",
    "surrogate_evidence",
    "surrogate_score",
    "p_surrogate",
    *(f"p_{family}" for family in FAMILIES),
    "p_value",
]
LINK_COLUMNS = [
    "layer",
    "neuron",
    "link",
    "heuristic",
    "map",
    "side",
    "evidence",
    "share",
    "p_value",
]
FDR_COLUMNS = [*MATCH_COLUMNS, "link", "evidence", "share", "p_value", "q_value"]


def chain_rows(layer: int, neuron: int, links: Sequence[Link]) -> pd.DataFrame:
    """The links of one neuron's chain (LINK_COLUMNS), the first with number 0."""
    rows = [
        (layer, neuron, n, x.heuristic.name, x.map, x.side, x.evidence, x.share, x.p_value)
        for n, x in enumerate(links)
    ]
    return pd.DataFrame(rows, columns=LINK_COLUMNS)


def neuron_table(
    measured: pd.DataFrame, links: pd.DataFrame, families: Sequence[str], min_share: float
) -> pd.DataFrame:
    """One row per neuron (NEURON_COLUMNS), with the largest p-value over some families of nulls.

    ``measured`` has all columns but p_surrogate, which the first link of each chain in ``links``
    tells, and p_value. A neuron with less evidence than ``min_share`` has p-value 1.
    """
    first = links.loc[links["link"] == 0, ["layer", "neuron", "p_value"]]
    first = first.rename(columns={"p_value": "p_surrogate"})
    table = measured.merge(first, on=["layer", "neuron"], how="left")
    p_values = table[[f"p_{family}" for family in families]].max(axis=1).fillna(1.0)
    enough = (table["evidence"] > 0) & (table["evidence"] >= min_share)
    return table.assign(p_value=p_values.where(enough, 1.0))[NEURON_COLUMNS]


def classify(
    neurons: pd.DataFrame,
    k: MapScores,
    kv: MapScores,
    index: HeuristicIndex,
    *,
    kind: Kind,
    fdr: float,
    max_base_rate: float,
) -> pd.DataFrame:
    """Calibrated neurons (NEURON_COLUMNS, in the order of the scores) with score, q and verdict.

    score: that of the heuristic that the map overlaps best; classified: q_value <= ``fdr``, by
    Benjamini and Hochberg over all of the neurons.
    """
    q_values = benjamini_hochberg(neurons["p_value"].to_numpy(np.float64))
    score = best_of(k, kv, index, kind, max_base_rate)
    return neurons.assign(score=score, q_value=q_values, classified=q_values <= fdr)


def evidence_cut(neurons: pd.DataFrame) -> float:
    """Least evidence of the classified neurons (`classify`); NaN if there are none."""
    return float(neurons.loc[neurons["classified"].astype(bool), "evidence"].min())


def fdr_matches(
    neurons: pd.DataFrame,
    links: pd.DataFrame,
    k: MapScores,
    kv: MapScores,
    index: HeuristicIndex,
    *,
    kind: Kind,
    fdr: float,
    min_share: float,
) -> pd.DataFrame:
    """Every (neuron, heuristic) of the chains of classified neurons (FDR_COLUMNS).

    ``neurons`` are those of `classify`, in the order of the scores; a chain is followed while its
    links have p-values up to ``fdr`` and explain at least ``min_share``. The scores are those of
    the same heuristics.
    """
    classified = neurons.assign(row=np.arange(len(neurons)))[neurons["classified"].astype(bool)]
    first = links["link"] == 0
    good = (links["share"] >= min_share) & (first | (links["p_value"] <= fdr))
    return _matched(links, good, classified, k, kv, index, kind)


def cut_matches(
    neurons: pd.DataFrame,
    links: pd.DataFrame,
    k: MapScores,
    kv: MapScores,
    index: HeuristicIndex,
    *,
    kind: Kind,
    cut: float,
    min_share: float,
) -> pd.DataFrame:
    """Every (neuron, heuristic) of the chains that begin with at least the evidence ``cut``.

    For neurons of checkpoints, which are held against the cut of the final model instead of nulls
    of their own; a ``cut`` of NaN matches nothing. ``neurons`` are in the order of the scores; p-
    and q-values are NaN.
    """
    first = links[(links["link"] == 0) & (links["evidence"] >= cut)]
    classified = neurons.assign(row=np.arange(len(neurons)), q_value=np.nan)
    classified = classified.merge(first[["layer", "neuron"]], on=["layer", "neuron"])
    good = links["share"] >= min_share
    return _matched(links.assign(p_value=np.nan), good, classified, k, kv, index, kind)


def _matched(
    links: pd.DataFrame,
    good: pd.Series,
    classified: pd.DataFrame,
    k: MapScores,
    kv: MapScores,
    index: HeuristicIndex,
    kind: Kind,
) -> pd.DataFrame:
    """Links of the classified neurons (layer, neuron, row, q_value), up to the first bad one."""
    key = ["layer", "neuron"]
    unbroken = good.astype(int).groupby([links[name] for name in key]).cummin().astype(bool)
    table = links[unbroken].merge(classified[[*key, "row", "q_value"]], on=key)
    table = described(table.assign(kind=kind))
    scores = scores_of(table, k, kv, index, kind)
    table = pd.concat([table.reset_index(drop=True), scores], axis=1)
    return table.sort_values([*key, "link"], ignore_index=True)[FDR_COLUMNS]
