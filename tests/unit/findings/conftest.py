"""A small run's tables: two operators that were studied, one without prompts."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.findings.tables import COLUMNS

STUDIED = ("add", "sub")
OPERATORS = (*STUDIED, "mul")
SETTINGS = {"rule": "threshold", "threshold": 0.6, "fdr": 0.05, "periods": [2, 5, 10, 100]}


def table(name, *rows):
    """A table of the page from rows of its columns."""
    return pd.DataFrame(list(rows), columns=COLUMNS[name])


def accuracy():
    return table(
        "table03_accuracy",
        ("add", 400, 400, 1.0, 1.0, 40, 1.0),
        ("sub", 210, 205, 205 / 210, 0.99, 50, 0.8),
        ("mul", 0, 0, np.nan, 0.7, 90, 0.7),
    )


def effects():
    cells = [
        (0, "head_0", "operand1", -4.0, 0.001),
        (0, "head_1", "operand1", -9.0, 0.2),
        (1, "head_1", "equals", -2.0, 0.01),
        (1, "mlp", "equals", -6.5, 0.001),
    ]
    summed = [(*cell[:2], *cell[3:], 20) for cell in cells]
    return {
        "fig02_localization": table("fig02_localization", *cells),
        "fig02_localization_summed": table("fig02_localization_summed", *summed),
    }


def probes(first=0.3):
    rows = []
    for layer, mean in enumerate((first, 0.8)):
        rows.append(("answer", "equals", layer, mean, mean - 0.02, mean + 0.02, 0.15))
        rows.append(("shuffled", "equals", layer, 0.14, 0.12, 0.16, 0.15))
        rows.append(("answer", "operand2", layer, 0.2, 0.18, 0.22, 0.15))
    return table("fig03_probe_accuracy", *rows)


def circuits(p_layer=0.01, possible=100):
    heads = [("add", "L0H0"), ("add", "L1H1"), ("sub", "L1H1")]
    sets = [("circuit", np.nan), ("any", 0.004), ("layer", p_layer)]
    tests = [
        (op, kind, possible if kind == "layer" else 100, p) for op in STUDIED for kind, p in sets
    ]
    return {
        "table01_faithfulness": table(
            "table01_faithfulness",
            ("add", 2, 0.97, 0.95, 0.99), ("sub", 1, 0.9, 0.85, 0.93),
        ),
        "table02_circuit_heads": table("table02_circuit_heads", *heads),
        "fig_circuit_test": table("fig_circuit_test", *tests),
    }  # fmt: skip


def classified(null=0.5, null_fdr=0.02, real_fdr=0.4):
    rows = []
    for op in STUDIED:
        rows += [
            (op, "neurons", "share at threshold", 0.9, 0.8, 0.95, 40),
            (op, "neurons", "share at fdr", real_fdr, 0.0, 0.5, 40),
            (op, "smooth", "share at fdr against this null alone", 0.99, 0.9, 1.0, 40),
            (op, "smooth", "false positives at threshold", null, null - 0.1, null + 0.1, 99),
            (op, "white", "false positives at threshold", 0.01, 0.0, 0.02, 99),
            (op, "smooth", "false positives at fdr", null_fdr, null_fdr - 0.01, 0.2, 99),
        ]
    return table("fig_classified_share", *rows)


def counts():
    rows = []
    for op in STUDIED:
        for layer, n in ((2, 7), (3, 5)):
            rows += [(op, layer, "range", n, 20), (op, layer, "modulo", 3, 20)]
            rows += [(op, layer, "pattern", 0, 20), (op, layer, "any", n + 2, 20)]
    return table("heuristic_counts", *rows)


def by_prompt(add=0.5, drawn=True):
    rows = []
    for op, accuracy_without in (("add", add), ("sub", 0.98)):
        rows += [(op, "control", 0, 1.0, 50, 0.0, True), (op, "heuristic", 0, 1.0, 50, 0.0, True)]
        rows += [(op, "control", 5, 1.0, 50, 9.0 * drawn, drawn)]
        rows += [(op, "heuristic", 5, accuracy_without, 50, 9.0, True)]
    return table("fig08_prompt_knockout", *rows)


def by_heuristic():
    return table(
        "fig07_heuristic_knockout",
        ("add", 0.6, 0.99, 0.7, 0.95),
        ("sub", 0.96, 0.98, 0.99, 0.95),
    )


def rivals(gap=0.1):
    rng = np.random.default_rng(0)
    rows = []
    for op in STUDIED:
        for neuron in range(30):
            modes = rng.uniform(0.3, 0.5)
            more = modes + gap + rng.normal(0, 0.01)
            rows.append((op, 2, neuron, more, more + 0.05, modes, more + 0.2, more, modes, 5))
    return table("fig_rivals", *rows)


def spectra():
    found = [("sum", 3.0), ("sum", 2.995), ("result", 2.0), ("op1", 2.8), ("difference", 150.0)]
    rows = [(op, "strongest", 2, n, *each, 0.4) for op in STUDIED for n, each in enumerate(found)]
    rows.append(("add", "mean", np.nan, np.nan, "sum", 4.0, 0.9))
    return table("fig_neuron_spectra", *rows)


def helices(helix=0.3):
    rows = []
    for layer in (0, 1, 2):
        for name, value in (("helix", helix), ("polynomial", 0.4), ("components", 0.6)):
            ends = (value - 0.05, value + 0.05)
            rows.append(("patch", "add", "equals", layer, name, 8, value, *ends))
    return table("fig_helix", *rows)


def checkpoints(share=0.3):
    steps = [("step0", 0.0, 0.01), ("step10", share, 0.95), ("final", 1.0, 1.0)]
    overlap = [
        (op, step, 50, found, found - 0.05, found + 0.05, 0.02, right)
        for op in STUDIED
        for step, found, right in steps
    ]
    kept = [
        (op, step, circuit, value, value - 0.05, value + 0.05, 9)
        for op in STUDIED
        for step in ("step0", "step10", "final")
        for circuit, value in (("shared", 0.7), ("random", 0.4 if op == "add" else 0.65))
    ]
    return {
        "fig10a_heuristic_overlap": table("fig10a_heuristic_overlap", *overlap),
        "fig10b_shared_faithfulness": table("fig10b_shared_faithfulness", *kept),
    }


def agreement():
    rows = [(op, "agreement", "gradient", "log_odds", "spearman", -1, 0.8) for op in STUDIED]
    rows.append(("add", "agreement", "gradient", "log_odds", "spearman", 3, 0.1))
    return table("fig_attribution_truth", *rows)


@pytest.fixture
def tables():
    """All of them; a test replaces the one it is about."""
    return {
        "table03_accuracy": accuracy(),
        **effects(),
        "fig03_probe_accuracy": probes(),
        **circuits(),
        "fig_attribution_truth": agreement(),
        "heuristic_counts": counts(),
        "fig_classified_share": classified(),
        "fig07_heuristic_knockout": by_heuristic(),
        "fig08_prompt_knockout": by_prompt(),
        "fig_rivals": rivals(),
        "fig_neuron_spectra": spectra(),
        "fig_helix": helices(),
        **checkpoints(),
    }


@pytest.fixture
def nothing():
    """A run in which no operator has a prompt: every table is empty but that of accuracies."""
    empty = {name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()}
    rows = [(op, 0, 0, np.nan, np.nan, 0, np.nan) for op in OPERATORS]
    return {**empty, "table03_accuracy": table("table03_accuracy", *rows)}
