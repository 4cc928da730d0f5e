"""How far two operators use the same neurons."""

import pandas as pd


def neuron_set(neurons: pd.DataFrame) -> set[tuple[int, int]]:
    """The (layer, neuron) pairs of a neuron table."""
    return set(zip(neurons["layer"].tolist(), neurons["neuron"].tolist(), strict=True))


def intersection_over_union(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """IoU of two neuron tables' (layer, neuron) sets, NaN when both are empty (paper, appendix)."""
    left, right = neuron_set(first), neuron_set(second)
    union = left | right
    return len(left & right) / len(union) if union else float("nan")


def overlap_table(neurons: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """IoU between all pairs of operators: columns operator_1, operator_2, iou."""
    rows = [
        (one, two, intersection_over_union(neurons[one], neurons[two]))
        for one in neurons
        for two in neurons
    ]
    return pd.DataFrame(rows, columns=["operator_1", "operator_2", "iou"])
