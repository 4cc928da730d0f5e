"""Prompt-guided knockouts, beside one forward pass per prompt, condition and limit.

The sets of neurons come from `knock_out_prompts` on random matches of the later layers. Ours runs
them in batches with a set of its own in each row; the loop zeroes one prompt's neurons with hooks
on the Hugging Face model, one forward pass each. Both must answer every row alike.

Run it as `python -m benchmarks.knockouts`. `--quick` runs the loop on every tenth row and scales
up. Writes benchmarks/results/knockouts.csv and .png; the last line is for machines.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.drawing import draw_beside_loop
from benchmarks.machine import timed
from benchmarks.subjects import MODELS, RESULTS, draw_prompts, load_subject
from pipeline_lib.heuristics import PAPER, HeuristicIndex, HeuristicSettings
from pipeline_lib.heuristics.types import membership
from pipeline_lib.knockouts.ablation import ablated_correctness
from pipeline_lib.knockouts.by_prompt import knock_out_prompts
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.rng import generator
from pipeline_lib.verification.plain import replaced_inputs

LIMITS = range(0, 61, 5)
HEURISTICS_PER_NEURON = 8


def main() -> None:
    """Measure each model, write the table, print the lines."""
    options = read_options()
    torch.set_num_threads(options.threads)
    rows = [measure(name, options) for name in options.model]
    RESULTS.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS / "knockouts.csv", index=False)
    ours, loop = ([float(str(row[name])) for row in rows] for name in ("seconds", "loop_seconds"))
    label = f"seconds for {options.prompts} prompts, {len(LIMITS)} limits, 2 conditions"
    draw_beside_loop(options.model, ours, loop, label, RESULTS / "knockouts.png")
    for row in rows:
        print(" ".join(f"{name}={value}" for name, value in row.items()))


def read_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=["tiny-arith"])
    parser.add_argument("--quick", action="store_true", help="the loop runs every tenth row")
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="rounds, the median counts")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def measure(name: str, options: argparse.Namespace) -> dict[str, object]:
    """Seconds of both ways for all rows, and how many rows they answer alike."""
    model = load_subject(name)
    numbers = NumberTokens.measure(model.tokenizer)
    ids = numbers.number_ids
    prompts, sets = draw_rows(model, options.prompts)
    ours = ablated_correctness(model, numbers.encode, ids, positions="all")
    every = slice(None, None, 10 if options.quick else 1)
    tokens, answers = numbers.encode(prompts)[every], ids[prompts["answer"].to_numpy()[every]]
    chosen = sets[every]
    result = np.asarray(ours(prompts, sets))[every]
    loop = predict_one_by_one(model, tokens, chosen) == answers
    seconds, loop_seconds = [], []
    for _ in range(options.rounds):
        seconds.append(timed(lambda: ours(prompts, sets)))
        run = timed(lambda: predict_one_by_one(model, tokens, chosen))
        loop_seconds.append(run * len(sets) / len(chosen))
    middle, loop_middle = statistics.median(seconds), statistics.median(loop_seconds)
    return {
        "model": name,
        "rows": len(sets),
        "seconds": f"{middle:.3f}",
        "loop_seconds": f"{loop_middle:.3f}",
        "rows_compared": len(chosen),
        "answered_alike": int((result == loop).sum()),
        "ratio": f"{loop_middle / middle:.1f}",
    }


def draw_rows(model: LanguageModel, n_prompts: int) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Prompts and their sets of neurons as the stage makes them, from random matches."""
    prompts = draw_prompts(20 * n_prompts, 0)
    prompts = prompts[prompts["operator"] == "add"].head(n_prompts).reset_index(drop=True)
    settings = HeuristicSettings.from_values(PAPER)
    index = HeuristicIndex.build("add", settings, prompts, max_operand=300, max_number=999)
    rng = generator(0, "benchmark", "knockouts")
    neurons = pd.DataFrame(
        [
            (layer, neuron)
            for layer in range(model.n_layers // 2, model.n_layers)
            for neuron in rng.choice(model.d_mlp, model.d_mlp // 4, replace=False)
        ],
        columns=["layer", "neuron"],
    )
    matches = neurons.loc[neurons.index.repeat(HEURISTICS_PER_NEURON)].reset_index(drop=True)
    names = [heuristic.name for heuristic in index.heuristics]
    matches["heuristic"] = rng.choice(names, len(matches))
    matches["score"] = rng.uniform(0.6, 1, len(matches))
    kept: list[tuple[pd.DataFrame, Sequence[np.ndarray]]] = []

    def keep(table: pd.DataFrame, sets: Sequence[np.ndarray]) -> np.ndarray:
        kept.append((table, sets))
        return np.zeros(len(table), dtype=bool)

    member = membership(matches, prompts)
    arguments = {"limits": LIMITS, "rank": "score", "rng": rng}
    knock_out_prompts(matches, member, neurons, prompts, {"zero": keep}, **arguments)
    return kept[0][0], list(kept[0][1])


def predict_one_by_one(
    model: LanguageModel, tokens: torch.Tensor, sets: Sequence[np.ndarray]
) -> np.ndarray:
    """Most probable next token of each row, one hooked forward pass a row."""
    predicted = np.empty(len(sets), dtype=np.int64)
    for row, neurons in enumerate(tqdm(sets, leave=False, disable=None)):
        edits = {}
        for layer in np.unique(neurons[:, 0]):
            own = torch.from_numpy(neurons[neurons[:, 0] == layer, 1])
            edits[model.mlp_outs[int(layer)]] = _zero(own)
        with torch.no_grad(), replaced_inputs(edits):
            logits = model.hf(tokens[row : row + 1], use_cache=False).logits
        predicted[row] = int(logits[0, -1].argmax())
    return predicted


def _zero(neurons: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    def edit(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[..., neurons] = 0
        return x

    return edit


if __name__ == "__main__":
    main()
