"""A small study on disk: operators add and sub with prompts, div without any.

Operands 0..9. Neurons of add: L1 N5 fires (1.0) when operand 1 >= 5; L1 N7 fires always and its
value vector promotes even numbers; L2 N3 fires (-1.0) when both operands are equal. Sub has L1 N5.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from pipeline_lib import store
from pipeline_lib.figures.style import Drawn, save_figure
from pipeline_lib.heuristics import Heuristic
from pipeline_lib.stimuli.arithmetic import POSITIONS, valid_prompts

OPERATORS = ["add", "sub", "div"]
SEEDS = [42, 412]
N_LAYERS, N_HEADS, D_MLP, N_NUMBERS = 3, 2, 10, 30
COMPONENTS = ["head_0", "head_1", "mlp"]


def prompts_of(operator: str) -> pd.DataFrame:
    """All prompts of the study; none for div."""
    prompts = valid_prompts(operator, min_operand=0, max_operand=10, max_number=N_NUMBERS - 1)
    return prompts.iloc[:0] if operator == "div" else prompts


def match_row(name: str, layer: int, neuron: int, **changes: Any) -> dict[str, Any]:
    """A row of the match table; score .9 against a base rate of .5."""
    found = Heuristic.from_name(name)
    row = {
        "kind": "hybrid", "layer": layer, "neuron": neuron, "heuristic": name,
        "label": found.label, "type": found.type_name, "target": found.target,
        "map": "KV" if found.target == "result" else "K", "side": "top",
        "score": 0.9, "base_rate": 0.5, "corrected_score": 0.8,
    }  # fmt: skip
    return row | changes


MATCHES = {
    "add": [
        match_row("op1_range_5_15", 1, 5, score=1.0, corrected_score=1.0),
        match_row("op1_range_0_10", 1, 5, score=1.0, base_rate=1.0, corrected_score=np.nan),
        match_row("result_mod_2_0", 1, 7, score=1.0, corrected_score=1.0),
        match_row("result_mod_4_0", 1, 7, score=0.7, corrected_score=0.6, base_rate=0.25),
        match_row("pair_same", 2, 3, side="bottom", base_rate=0.1, corrected_score=0.85),
        match_row("op2_value_3", 1, 5, kind="K"),
    ],
    "sub": [match_row("op1_range_5_15", 1, 5, score=0.8, corrected_score=0.6)],
    "div": [],
}
MATCH_COLUMNS = list(match_row("pair_same", 0, 0))
CIRCUITS = {
    "add": [(1, "L2H1", "ranked")],
    "sub": [(1, "L1H0", "config")],
    "div": [(1, "L0H0", "ranked")],
}
NEURONS = {
    "add": [(1, 5, 0, 0.9), (1, 7, 1, 0.4), (2, 3, 0, 0.6), (2, 4, 1, 0.5)],
    "sub": [(1, 5, 0, 0.7), (2, 4, 0, 0.1)],
    "div": [],
}


def k_map(operator: str) -> np.ndarray:
    """Activations [neuron, prompt] in the order of NEURONS."""
    prompts = prompts_of(operator)
    a, b = prompts["a"].to_numpy(), prompts["b"].to_numpy()
    rows = {
        (1, 5): np.where(a >= 5, 1.0, 0.0),
        (1, 7): np.ones(len(prompts)),
        (2, 3): np.where(a == b, -1.0, 0.0),
        (2, 4): np.zeros(len(prompts)),
    }
    chosen = [rows[layer, neuron] for layer, neuron, _, _ in NEURONS[operator]]
    return np.array(chosen, dtype=np.float32).reshape(len(chosen), len(prompts))


def value_logits(operator: str) -> np.ndarray:
    """Logits [neuron, number]: N7 promotes even numbers, all others the small ones."""
    numbers = np.arange(N_NUMBERS)
    even, small = np.where(numbers % 2 == 0, 1.0, -1.0), -numbers.astype(float)
    rows = [even if neuron == 7 else small for _, neuron, _, _ in NEURONS[operator]]
    return np.array(rows, dtype=np.float32).reshape(len(rows), N_NUMBERS)


def write_maps(path: Path, operator: str) -> None:
    """A map artifact."""
    neurons, prompts = NEURONS[operator], prompts_of(operator)
    arrays = {
        "layer": store.Array(np.array([row[0] for row in neurons], dtype=np.int64), ("neuron",)),
        "neuron": store.Array(np.array([row[1] for row in neurons], dtype=np.int64), ("neuron",)),
        "k_map": store.Array(k_map(operator), ("neuron", "prompt")),
        "value_logits": store.Array(value_logits(operator), ("neuron", "number")),
    }
    for name in ("a", "b", "answer"):
        arrays[name] = store.Array(prompts[name].to_numpy(), ("prompt",))
    store.write_artifact(path, "maps", arrays, coords={}, provenance={"operator": operator})


def effects_of(operator: str, seed: int) -> np.ndarray:
    """Effects [2 prompts, position, layer, component]: L2H1 stands out, more with seed 412."""
    effects = np.zeros((0 if operator == "div" else 2, 4, N_LAYERS, N_HEADS + 1))
    scale = {"add": 1.0, "sub": 3.0, "div": 0.0}[operator]
    effects[:, 3, 2, 1] = scale * (1.0 if seed == 42 else 2.0)
    effects[:, 0, 0, 2] = 0.5
    return effects


def write_effects(path: Path, effects: np.ndarray) -> None:
    """An artifact of indirect effects; the log odds change as much, the other way."""
    axes = ("prompt", "position", "layer", "component")
    coords = {"position": POSITIONS, "layer": np.arange(effects.shape[2]), "component": COMPONENTS}
    arrays = {
        "indirect_effect": store.Array(effects, axes),
        "log_odds_change": store.Array(-effects, axes, "nat"),
    }
    store.write_artifact(path, "effects", arrays, coords=coords, provenance={})


def write_attribution(path: Path, operator: str) -> None:
    """Neuron n of layer l has the effect l on one prompt and n on the other; NaN at L2 N0.

    Over the prompts its mean at position p is (p + 1) * n - 10 * l, its deviation 1; in layer 0
    before the last position it is n on one prompt and 3 n on the other.
    """
    n_prompts = 0 if operator == "div" else 2
    effects = np.zeros((n_prompts, N_LAYERS, D_MLP), dtype=np.float32)
    effects[:1] = np.arange(N_LAYERS)[:, None]
    effects[1:] = np.arange(D_MLP)
    effects[:, 2, 0] = np.nan
    grid = np.meshgrid(np.arange(4), np.arange(N_LAYERS), np.arange(D_MLP), indexing="ij")
    mean = ((grid[0] + 1) * grid[2] - 10 * grid[1]).astype(np.float32) * (n_prompts > 0)
    axes = ("position", "layer", "neuron")
    arrays = {
        "neurons_last": store.Array(effects, ("prompt", "layer", "neuron")),
        "neurons_mean": store.Array(mean, axes),
        "neurons_std": store.Array(np.ones_like(mean), axes),
        "mlp0_before": store.Array(
            np.outer([1, 3][:n_prompts], np.arange(D_MLP)).astype(np.float32), ("prompt", "neuron")
        ),
    }
    coords = {"position": POSITIONS, "layer": np.arange(N_LAYERS), "seed": [42]}
    store.write_artifact(path, "attribution", arrays, coords=coords, provenance={})


def exact_of(operator: str, seed: int) -> dict[str, np.ndarray]:
    """Effects [3 prompts, 2 layers of 12 neurons]: exact ones, a noisy estimate, a perfect one."""
    rng = np.random.default_rng([seed, OPERATORS.index(operator)])
    exact = rng.normal(size=(0 if operator == "div" else 3, 24))
    noisy = exact + rng.normal(size=exact.shape)
    return {
        "log_odds_change": -2 * exact,
        "indirect_effect": np.expm1(exact),
        "gradient": noisy,
        "integrated": exact,
    }


def write_exact(path: Path, operator: str) -> None:
    """Exact effects of all neurons of layers 1 and 2, in three prompts for each seed."""
    parts = [exact_of(operator, seed) for seed in SEEDS]
    axes = ("prompt", "patched")
    arrays = {
        name: store.Array(np.concatenate([part[name] for part in parts]), axes) for name in parts[0]
    }
    units = {
        "layer": np.repeat([1, 2], 12),
        "neuron": np.tile(np.arange(12), 2),
        "weight": np.ones(24),
    }
    arrays |= {name: store.Array(values, ("patched",)) for name, values in units.items()}
    arrays["shape"] = store.Array(np.array([3, 12]), ("size",))
    store.write_artifact(path, "exact_neurons", arrays, coords={"seed": SEEDS}, provenance={})


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """Paths of one kind of file, one an operator (or operator and seed); the study is on disk."""
    folder = tmp_path_factory.mktemp("study")
    for operator in OPERATORS:
        prompts, neurons = prompts_of(operator), NEURONS[operator]
        columns = ["layer", "neuron", "rank", "importance"]
        store.write_table(folder / f"{operator}_neurons", pd.DataFrame(neurons, columns=columns))
        matches = pd.DataFrame(MATCHES[operator], columns=MATCH_COLUMNS)
        store.write_table(folder / f"{operator}_matches", matches)
        store.write_table(folder / f"{operator}_evaluation", prompts)
        circuit = pd.DataFrame(CIRCUITS[operator], columns=["rank", "head", "source"])
        store.write_table(folder / f"{operator}_circuits", circuit)
        write_maps(folder / f"{operator}_maps", operator)
        write_attribution(folder / f"{operator}_attribution", operator)
        write_exact(folder / f"{operator}_exact", operator)
        for seed in SEEDS:
            write_effects(folder / f"{operator}_effects_{seed}", effects_of(operator, seed))

    def paths(name: str, operators: list[str] | None = None) -> list[str]:
        chosen = operators or OPERATORS
        files = [name] if name != "effects" else [f"{name}_{seed}" for seed in SEEDS]
        return [str(folder / f"{operator}_{file}") for operator in chosen for file in files]

    return paths


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Drawn], dict[str, bytes]]:
    """Saves a figure and returns the bytes of its files."""

    def written(drawn: Drawn) -> dict[str, bytes]:
        outputs = {kind: str(tmp_path / f"figure.{kind}") for kind in ("pdf", "png", "csv")}
        save_figure(drawn, outputs, dpi=60)
        return {kind: Path(path).read_bytes() for kind, path in outputs.items()}

    return written


def words(drawn: Drawn) -> str:
    """All text of a figure."""
    return "\n".join(text.get_text() for text in drawn.figure.findobj(Text))


@pytest.fixture
def words_of() -> Callable[[Drawn], str]:
    """Function that collects all text of a figure."""
    return words
