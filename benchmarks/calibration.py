"""How often maps without meaning pass the rule `fdr`, per operator and kind of map.

    python -m benchmarks.calibration [--maps 1000] [--operators add sub mul div] > calibration.csv

Draws white noise, smooth surfaces of several length scales and linear maps over the study's valid
prompts (operands below 300, numbers below 1000), and treats each as the K map of a neuron whose
value row is constant. Columns: p5 is the share with a p-value up to 0.05 against surrogates alone,
classified the share that Benjamini-Hochberg keeps at 5 % among all maps of the kind; unsafe is p5
without the safety factor of surrogates, at_0.6 the share with a score of 0.6 or more (of the first
100 maps).
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline_lib.heuristics import HeuristicIndex, HeuristicSettings
from pipeline_lib.heuristics.calibration.chains import SAFETY, Calibration, surrogate_maps
from pipeline_lib.heuristics.calibration.tails import tail_probability
from pipeline_lib.heuristics.settings import PAPER
from pipeline_lib.heuristics.table import best_scores
from pipeline_lib.rng import generator
from pipeline_lib.stats import benjamini_hochberg
from pipeline_lib.stimuli.arithmetic import OPERATORS, valid_prompts

LENGTHS = (1, 3, 10, 30, 100)
MAX_OPERAND, MAX_NUMBER = 300, 999
SURROGATES, MIN_SHARE, LEVEL = 49, 0.05, 0.05
SCORED = 100

Draw = Callable[[np.random.Generator], np.ndarray]


def smooth_surface(length: float, side: int, rng: np.random.Generator) -> np.ndarray:
    """White noise through a Gaussian of this standard deviation, of variance 1, [a, b]."""
    padded = side + int(8 * length)
    rows, columns = np.fft.fftfreq(padded)[:, None], np.fft.rfftfreq(padded)[None, :]
    gain = np.exp(-2 * (np.pi * length) ** 2 * (rows**2 + columns**2))
    noise = rng.standard_normal((padded, padded))
    field = np.fft.irfft2(np.fft.rfft2(noise) * gain, s=(padded, padded))
    return field[:side, :side] / field.std()


def kinds_of_maps(prompts: pd.DataFrame) -> dict[str, Draw]:
    """What is drawn, by name."""
    a, b = (prompts[name].to_numpy() for name in ("a", "b"))

    def smooth(length: float) -> Draw:
        return lambda rng: smooth_surface(length, MAX_OPERAND, rng)[a, b]

    def linear(rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal(3) @ np.stack([a, b, np.full(len(a), 100.0)])

    def noisy(rng: np.random.Generator) -> np.ndarray:
        return linear(rng) / 100 + rng.standard_normal(len(a))

    return {
        "white": lambda rng: rng.standard_normal(len(a)),
        **{f"smooth_{length}": smooth(length) for length in LENGTHS},
        "linear": linear,
        "linear_and_white": noisy,
    }


def p_values(calibration: Calibration, k: np.ndarray) -> tuple[float, float]:
    """p-value of a map against its surrogates, and what it is without the safety factor."""
    evidence = float(calibration.contest.strongest(k[None], k[None]).evidence[0])
    if evidence < MIN_SHARE:
        return 1.0, 1.0
    assert calibration.surrogates is not None
    assert calibration.noise is not None
    maps = surrogate_maps(calibration.evidence, calibration.surrogates, k, calibration.noise)
    null = calibration.contest.strongest(maps, maps).evidence
    return tail_probability(evidence, null, SAFETY), tail_probability(evidence, null)


def measure(operator: str, n_maps: int) -> pd.DataFrame:
    """One row for each kind of map."""
    prompts = valid_prompts(operator, min_operand=0, max_operand=MAX_OPERAND, max_number=MAX_NUMBER)
    types = HeuristicSettings.from_values(PAPER)
    index = HeuristicIndex.build(
        operator, types, prompts, max_operand=MAX_OPERAND, max_number=MAX_NUMBER
    )
    calibration = Calibration.of(
        index,
        generator(0, "calibration", operator),
        kind="hybrid",
        max_base_rate=1.0,
        min_share=MIN_SHARE,
        surrogates=SURROGATES,
    )
    rows = []
    for name, draw in kinds_of_maps(prompts).items():
        rng = generator(0, "calibration", operator, name)
        found, scores = [], []
        for number in range(n_maps):
            if number % 50 == 0:  # fresh noise, or all p-values share their surrogates
                assert calibration.surrogates is not None
                noise = calibration.surrogates.noise(SURROGATES, rng)
                calibration = replace(calibration, noise=noise)
            k = draw(rng).astype(np.float32)
            found.append(p_values(calibration, k))
            if number < SCORED:
                scores.append(best_scores(k[None], k[None], index, "hybrid")[0])
        p, unsafe = np.array(found).T
        rows.append(
            {
                "operator": operator,
                "map": name,
                "n": n_maps,
                "p5": (p <= LEVEL).mean(),
                "classified": (benjamini_hochberg(p) <= LEVEL).mean(),
                "unsafe": (unsafe <= LEVEL).mean(),
                "at_0.6": (np.array(scores) >= 0.6).mean(),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Write the table to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, default=1000, help="maps of each kind")
    parser.add_argument("--operators", nargs="+", default=list(OPERATORS), choices=OPERATORS)
    options = parser.parse_args()
    parts = [measure(operator, options.maps) for operator in options.operators]
    table = pd.concat(parts, ignore_index=True).assign(safety=SAFETY)
    table.to_csv(sys.stdout, index=False, float_format="%.3f")


if __name__ == "__main__":
    main()
