"""Every figure of a model that answers nothing: it says what is missing, and the files exist."""

import re
from importlib import import_module

import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.figures.circuit_tests import SET_COLUMNS
from pipeline_lib.figures.fig_knockout_controls import BY_HEURISTIC, BY_PROMPT

KIND = {"kind": "hybrid"}
FIGURES = {
    "fig01_running_example": (
        ["evaluation", "maps", "neurons", "matches"], {**KIND, "example_prompt": None},
    ),
    "fig02_localization": (["effects"], {}),
    "fig02_localization_summed": (["effects"], {}),
    "fig04a_neuron_effects": (
        ["attribution"], {"neurons": {"importance": "mean", "first_heuristics_layer": "half"}},
    ),
    "fig12a_mlp0_effects": (["attribution"], {}),
    "fig05_heuristic_types": (["maps", "matches"], KIND),
    "fig06_matching_example": (["maps", "matches"], KIND),
    "fig15_neuron_iou": (["neurons"], {}),
    "fig_attribution_truth": (["exact"], {}),
    "fig_stability": (
        ["effects", "circuits", "attribution"],
        {"neurons": {"importance": "mean", "per_layer": 2, "first_heuristics_layer": "half"}},
    ),
    "heuristic_counts": (["neurons", "matches"], KIND),
    "table02_circuit_heads": (["effects", "circuits"], {}),
    "example_neurons": (["maps", "neurons", "matches"], {**KIND, "example_neurons": 10}),
}  # fmt: skip
CURVES = (
    "fig04b_faithfulness_topk", "fig11_faithfulness_heads", "fig12b_mlp0_topk",
)  # fmt: skip
FAITHFULNESS = [
    "operator", "a", "b", "answer", "seed", "curve", "size", "nl", "nl_none", "nl_model",
    "faithfulness", "kl", "correct",
]  # fmt: skip
KNOCKOUTS = {
    "fig07_heuristic_knockout": [
        "heuristic", "label", "ablation", "condition", "n_neurons", "n_associated", "n_other",
        "baseline_associated", "associated", "baseline_other", "other",
    ],
    "fig08_prompt_knockout": [
        "a", "b", "answer", "ablation", "condition", "limit", "n_neurons", "correct",
    ],
    "fig_knockout_controls": [*dict.fromkeys([*BY_HEURISTIC, *BY_PROMPT])],
    "fig03_probe_accuracy": [
        "operator", "layer", "position", "variant", "accuracy", "chance", "n_train", "n_test",
    ],
    **dict.fromkeys(CURVES, FAITHFULNESS),
    "fig_circuit_test": SET_COLUMNS,
    "table01_faithfulness": [*dict.fromkeys([*FAITHFULNESS, *SET_COLUMNS])],
    "table03_accuracy": ["operator", "a", "b", "answer", "predicted", "label"],
}  # fmt: skip


def says_nothing(files, words):
    """Whether a figure was written, with a table, and says that something is not there."""
    written = files["pdf"].startswith(b"%PDF") and files["csv"].count(b"\n") >= 1
    return written and re.search(r"\bno\s|–", words) is not None


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_to_draw_is_said(name, study, write, words_of):
    inputs, settings = FIGURES[name]
    module = import_module(f"pipeline_lib.figures.{name}")
    drawn = module.make({key: study(key, ["div"]) for key in inputs}, ["div"], settings)
    words = words_of(drawn)
    assert says_nothing(write(drawn), words)


@pytest.mark.parametrize("name", KNOCKOUTS)
def test_empty_tables_are_said(name, tmp_path, write, words_of):
    path = tmp_path / "empty.csv"
    store.write_table(path, pd.DataFrame(columns=KNOCKOUTS[name]))
    module = import_module(f"pipeline_lib.figures.{name}")
    names = (
        "knockouts",
        "labelled",
        "probes",
        "faithfulness",
        "tests",
        "by_heuristic",
        "by_prompt",
    )
    inputs = {name: [str(path)] for name in names}
    drawn = module.make(inputs, ["div"], {})
    words = words_of(drawn)
    assert says_nothing(write(drawn), words)


@pytest.mark.parametrize("name", ["fig02_localization", "fig15_neuron_iou", "heuristic_counts"])
def test_a_figure_has_the_same_bytes_again(name, study, write):
    inputs, settings = FIGURES[name]
    module = import_module(f"pipeline_lib.figures.{name}")
    files = [
        write(module.make({key: study(key) for key in inputs}, ["add", "sub", "div"], settings))
        for _ in range(2)
    ]
    assert files[0] == files[1]
