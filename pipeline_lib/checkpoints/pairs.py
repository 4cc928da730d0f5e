"""Pairs of a neuron and a heuristic that two checkpoints have in common (definitions 9)."""

import pandas as pd

PAIR = ["layer", "neuron", "heuristic"]
NEURON = ["layer", "neuron"]


def in_common(matches: pd.DataFrame, final: pd.DataFrame) -> pd.Series:
    """Which rows of one match table have their (neuron, heuristic) in the other too."""
    known = pd.MultiIndex.from_frame(final[PAIR])
    return pd.Series(pd.MultiIndex.from_frame(matches[PAIR]).isin(known), index=matches.index)


def distinct_neurons(matches: pd.DataFrame) -> pd.DataFrame:
    """Neurons of a match table (layer, neuron), each once and in order."""
    return matches[NEURON].drop_duplicates().sort_values(NEURON, ignore_index=True)


def shared_neurons(matches: pd.DataFrame, final: pd.DataFrame) -> pd.DataFrame:
    """Neurons of a checkpoint with at least one (neuron, heuristic) pair of the final model."""
    return distinct_neurons(matches[in_common(matches, final)])


def n_in_common(matches: pd.DataFrame, final: pd.DataFrame) -> pd.DataFrame:
    """Of every neuron in ``final``: its pairs, and how many of them ``matches`` has too.

    Columns layer, neuron, pairs, shared. Tables have each (neuron, heuristic) at most once.
    """
    counted = final.assign(shared=in_common(final, matches))
    grouped = counted.groupby(NEURON)["shared"].agg(["size", "sum"]).reset_index()
    return grouped.rename(columns={"size": "pairs", "sum": "shared"}).astype(int)


def expected_by_chance(matches: pd.DataFrame, final: pd.DataFrame, n_neurons: int) -> float:
    """Pairs of ``final`` that ``matches`` would have if its neurons were others of their layers.

    The neurons of every layer, each with all its heuristics, are dealt out anew among the
    ``n_neurons`` of the layer: (n, h) is then there with the share of neurons that have h.
    """
    having = matches.groupby(["layer", "heuristic"]).size()
    wanted = pd.MultiIndex.from_frame(final[["layer", "heuristic"]])
    return float(having.reindex(wanted, fill_value=0).sum() / n_neurons)
