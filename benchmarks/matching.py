"""Time of heuristic matching per neuron, beside a plain loop over heuristics.

For every operator: white-noise K and KV maps over all valid prompts, scored on all heuristics of a
preset: the hybrid matching (K top and bottom for operands, KV top for results under the paper's),
and all three kinds at once. The loop is the hybrid matching as it is usually written: for each
heuristic, sort the map, take the top k prompts as a set and intersect. It runs on one neuron and a
sample of the heuristics, and is scaled up.

Run it as `python -m benchmarks.matching`. One thread, processor time, median over blocks of
neurons. Writes benchmarks/results/matching.csv and prints one `operator=... ms_per_neuron=...
ratio_loop=...` line per operator.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.drawing import draw_beside_loop
from pipeline_lib.heuristics import (
    AUTHORS,
    KINDS,
    PAPER,
    HeuristicIndex,
    HeuristicSettings,
    kind_scores,
    score_neurons,
)
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import OPERATORS, valid_prompts

RESULTS = Path(__file__).parent / "results" / "matching.csv"
PRESETS = {"paper": PAPER, "authors": AUTHORS}
MAX_NUMBER = 999
BLOCK = 10  # neurons timed together


def main() -> None:
    """Measure every operator, write the table, print the lines."""
    options = read_options()
    rows = [measure(operator, options) for operator in options.operators]
    RESULTS.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS, index=False)
    names = ("ms_per_neuron", "loop_ms_per_neuron")
    ours, loop = ([float(row[name]) for row in rows] for name in names)
    draw_beside_loop(
        options.operators, ours, loop, "milliseconds per neuron", RESULTS.with_suffix(".png")
    )
    for row in rows:
        print(" ".join(f"{name}={value}" for name, value in row.items()))


def read_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="operands below 100, few neurons")
    parser.add_argument("--operators", nargs="+", choices=list(OPERATORS), default=list(OPERATORS))
    parser.add_argument("--preset", choices=list(PRESETS), default="paper")
    parser.add_argument("--max-operand", type=int, default=300, help="operands are smaller")
    parser.add_argument("--neurons", type=int, default=60, help="neurons timed")
    parser.add_argument("--loop-every", type=int, default=40, help="the loop does every n-th one")
    options = parser.parse_args()
    if options.quick:
        options.max_operand, options.neurons = 100, 20
    return options


def measure(operator: str, options: argparse.Namespace) -> dict[str, str | int]:
    """Milliseconds per neuron of both implementations on one operator (the median of ours)."""
    prompts = valid_prompts(
        operator, min_operand=0, max_operand=options.max_operand, max_number=MAX_NUMBER
    )
    index = HeuristicIndex.build(
        operator,
        HeuristicSettings.from_values(PRESETS[options.preset]),
        prompts,
        max_operand=options.max_operand,
        max_number=MAX_NUMBER,
    )
    rng = generator(0, "benchmark", operator)
    k, kv = rng.standard_normal((2, options.neurons, len(prompts))).astype(np.float32)
    blocks = [slice(i, i + BLOCK) for i in range(0, options.neurons, BLOCK)]
    hybrid, every = (
        1000 / BLOCK * float(np.median([time_matching(k[b], kv[b], index, kinds) for b in blocks]))
        for kinds in (("hybrid",), KINDS)
    )
    loop_ms = 1000 * time_loop(k[0], kv[0], index, options.loop_every)
    return {
        "operator": operator,
        "ms_per_neuron": f"{hybrid:.2f}",
        "ratio_loop": f"{loop_ms / hybrid:.0f}",
        "ms_per_neuron_all_kinds": f"{every:.2f}",
        "loop_ms_per_neuron": f"{loop_ms:.0f}",
        "prompts": len(prompts),
        "heuristics": len(index.heuristics),
        "preset": options.preset,
    }


def time_matching(
    k: np.ndarray, kv: np.ndarray, index: HeuristicIndex, kinds: tuple[Kind, ...]
) -> float:
    """Seconds of the matching of the neurons of these maps [neuron, prompt]."""
    start = time.thread_time()
    kind_scores(*score_neurons(k, kv, index, kinds=kinds), index, "hybrid")
    return time.thread_time() - start


def time_loop(k: np.ndarray, kv: np.ndarray, index: HeuristicIndex, every: int) -> float:
    """Seconds of the loop over all heuristics, from every n-th of them."""
    sample = range(every // 2, len(index.heuristics), every)
    members = [set(np.flatnonzero(index.heuristics[i].members(index.prompts))) for i in sample]
    start = time.thread_time()
    for i, member in zip(sample, members, strict=True):
        size = int(index.k[i])
        if index.heuristics[i].target == "result":
            overlap(kv, member, size)
        else:
            max(overlap(k, member, size), overlap(-k, member, size))
    return (time.thread_time() - start) * len(index.heuristics) / len(members)


def overlap(activations: np.ndarray, member: set, size: int) -> float:
    """Share of the top prompts that are members, as one writes it down."""
    top = set(np.argsort(-activations)[:size])
    return len(top & member) / max(size, 1)


if __name__ == "__main__":
    main()
