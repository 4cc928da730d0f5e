"""The tables that the page reads, and the figures it shows: names as in the catalogue."""

from collections.abc import Mapping, Sequence
from os import PathLike

import pandas as pd

from pipeline_lib import store

COLUMNS: dict[str, list[str]] = {
    "table03_accuracy": [
        "operator", "prompts", "correct", "accuracy", "train_accuracy", "held_out_prompts",
        "held_out_accuracy",
    ],
    "fig02_localization": ["layer", "component", "position", "log_odds", "q"],
    "fig02_localization_summed": ["layer", "component", "log_odds", "q", "n_prompts"],
    "fig03_probe_accuracy": ["variant", "position", "layer", "mean", "low", "high", "chance"],
    "table01_faithfulness": ["operator", "size", "faithfulness", "low", "high"],
    "table02_circuit_heads": ["operator", "head"],
    "fig_circuit_test": ["operator", "kind", "n_possible", "p"],
    "fig_attribution_truth": [
        "operator", "panel", "estimate", "truth", "measure", "layer", "value",
    ],
    "heuristic_counts": ["operator", "layer", "type", "neurons", "top_neurons"],
    "fig_classified_share": ["operator", "rule_or_null", "what", "value", "low", "high", "n"],
    "fig07_heuristic_knockout": [
        "operator", "associated", "other", "associated_high", "other_low",
    ],
    "fig08_prompt_knockout": [
        "operator", "condition", "limit", "accuracy", "n_prompts", "mean_neurons", "drawn",
    ],
    "fig_rivals": [
        "operator", "layer", "neuron", "heuristics", "heuristics_twice", "modes", "both",
        "heuristics_trend", "modes_trend", "terms",
    ],
    "fig_neuron_spectra": ["operator", "panel", "layer", "neuron", "target", "period", "share"],
    "fig_helix": [
        "measure", "operator", "position", "layer", "name", "dimension", "value", "low", "high",
    ],
    "fig10a_heuristic_overlap": [
        "operator", "checkpoint", "final_pairs", "share", "low", "high", "chance", "accuracy",
    ],
    "fig10b_shared_faithfulness": [
        "operator", "checkpoint", "circuit", "ratio_of_means", "low", "high", "n_neurons",
    ],
}  # fmt: skip
"""Columns that are read of every table."""

PICTURES = (
    "fig02_localization",
    "fig03_probe_accuracy",
    "fig_classified_share",
    "fig_rivals",
    "fig_neuron_spectra",
    "fig10a_heuristic_overlap",
)
"""Figures on the page, where the run has them."""

Tables = Mapping[str, pd.DataFrame]


def read_tables(paths: Mapping[str, str | PathLike[str]]) -> dict[str, pd.DataFrame]:
    """Every table of `COLUMNS`; one that the run does not have (no path) has no rows."""
    return {
        name: store.read_table(paths[name], columns)
        if name in paths
        else pd.DataFrame(columns=columns)
        for name, columns in COLUMNS.items()
    }


def rows_of(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Rows that have these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table


def studied(tables: Tables, operators: Sequence[str]) -> list[str]:
    """Operators with prompts that the model answers right: of the others nothing was measured."""
    accuracy = tables["table03_accuracy"]
    return [op for op in operators if rows_of(accuracy, operator=op)["correct"].sum() > 0]
