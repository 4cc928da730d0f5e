"""Probes for the answer at every layer and position (paper section 2.2, figure 3; definitions 4).

What accuracy to expect: a probe names one of max_number + 1 numbers and has at most
``prompts * (1 - test_share)`` examples of them. 3,000 prompts of multiplication (numbers to 999)
have almost 800 different answers, half of them with one or two training prompts, and a tenth of
the test prompts has an answer without any: those are wrong whatever the activations hold. 3,000
prompts of addition have some 530, with four training prompts in the median. Division is the other
end: three quarters of its answers are 0 or 1, and always guessing 0 is right half of the time.
Read every accuracy beside ``chance`` and the shuffled control of its own operator.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int

from pipeline_lib.logs import progress
from pipeline_lib.probing.budget import BUDGET_BYTES, layers_at_once
from pipeline_lib.probing.tasks import VARIANTS, ProbeTask, Variant, make_tasks
from pipeline_lib.probing.training import (
    ProbeSettings,
    batch_order,
    guesses,
    standardized,
    train_probes,
)
from pipeline_lib.stats import wilson_interval

COLUMNS = [
    "operator", "layer", "position", "variant", "accuracy", "low", "high", "chance", "n_train",
    "n_test",
]  # fmt: skip
CACHED_WEIGHTS = 1 << 20
"""Bytes of weights trained side by side on a CPU: more than that leaves its cache and is slower."""

ReadLayers = Callable[[slice], Float[np.ndarray, "prompt pos layer d_model"]]


def probe_answers(
    read: ReadLayers,
    answers: Int[np.ndarray, " prompt"],
    *,
    operator: str,
    positions: Sequence[str],
    n_layers: int,
    n_numbers: int,
    d_model: int,
    settings: ProbeSettings,
    test_share: float,
    rng: np.random.Generator,
    variants: Sequence[Variant] = VARIANTS,
    budget: int = BUDGET_BYTES,
    device: str = "cpu",
) -> pd.DataFrame:
    """Test accuracy of a probe for each layer, position and variant, with `COLUMNS`.

    ``read(layers)`` gives resid_post of the prompts, whose answers are ``answers`` row by row, at
    a range of layers. Splits, labels and the order of the batches are drawn once and are the same
    for every layer and position, so cells differ by their activations alone, and the table does
    not depend on ``budget``, which sets how many layers are held at once. ``low`` and ``high`` are
    the Wilson 95 % interval over test prompts. Operators with fewer than two prompts, or without
    a test prompt, give a table without rows.
    """
    splitting, *streams = rng.spawn(1 + len(VARIANTS))
    stream_of = dict(zip(VARIANTS, streams, strict=True))
    tasks = [
        task
        for task in make_tasks(answers, variants, test_share, splitting)
        if len(task.train) and len(task.test)
    ]
    orders = [
        batch_order(len(task.train), settings.epochs, stream_of[task.variant]) for task in tasks
    ]
    parts: dict[Variant, list[pd.DataFrame]] = {task.variant: [] for task in tasks}
    step = layers_at_once(len(answers), len(positions), d_model, n_numbers, budget)
    for start in progress(range(0, n_layers if tasks else 0, step), "layers of probes"):
        layers = range(start, min(start + step, n_layers))
        cells = [(layer, position) for layer in layers for position in positions]
        x = _by_probe(read(slice(layers.start, layers.stop)), device)
        for task, order in zip(tasks, orders, strict=True):
            right = probe_once(x, task, order, n_numbers, settings)
            parts[task.variant].append(_rows(operator, cells, task, right))
    tables = [table for variant in parts for table in parts[variant]]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _by_probe(x: np.ndarray, device: str) -> torch.Tensor:
    """Activations [prompt, pos, layer, d_model] as [layer x pos, prompt, d_model]."""
    moved = np.ascontiguousarray(x.transpose(2, 1, 0, 3), dtype=np.float32)
    return torch.from_numpy(moved).flatten(0, 1).to(device)


def probe_once(
    x: Float[torch.Tensor, "probe prompt d_model"],
    task: ProbeTask,
    order: Int[np.ndarray, "epoch train"],
    n_numbers: int,
    settings: ProbeSettings,
) -> Bool[np.ndarray, "probe test"]:
    """Train every probe on the task's training prompts; which of its test prompts are right."""
    train, test = (torch.from_numpy(rows).to(x.device) for rows in (task.train, task.test))
    labels = torch.from_numpy(task.labels.astype(np.int64)).to(x.device)[train]
    named = []
    for part in x.split(_side_by_side(x, n_numbers)):
        part = standardized(part, train) if settings.standardize else part
        weight, bias = train_probes(part[:, train], labels, n_numbers, order, settings)
        named.append(guesses(part[:, test], weight, bias))
    return task.is_right(np.concatenate(named))


def _side_by_side(x: torch.Tensor, n_numbers: int) -> int:
    """Probes trained in one go: all on a GPU, on a CPU as many as its cache holds."""
    if x.device.type != "cpu":
        return len(x)
    return max(1, CACHED_WEIGHTS // (4 * x.shape[-1] * n_numbers))


def _rows(
    operator: str, cells: Sequence[tuple[int, str]], task: ProbeTask, right: np.ndarray
) -> pd.DataFrame:
    table = pd.DataFrame(cells, columns=["layer", "position"])
    table["accuracy"] = right.mean(1)
    table["low"], table["high"] = wilson_interval(
        right.mean(1), np.full(len(right), right.shape[1])
    )
    fixed = {"operator": operator, "variant": task.variant, "chance": task.chance}
    return table.assign(**fixed, n_train=len(task.train), n_test=len(task.test))[COLUMNS]
