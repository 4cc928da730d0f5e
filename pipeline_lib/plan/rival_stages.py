"""Cost of the rivals: explaining maps, and numbers in the residuals.

L layers, D = d_model, N prompts that are sampled, k modes that explain a map.
"""

from functools import lru_cache

import pandas as pd

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan import flops
from pipeline_lib.plan.sizes import OperatorSizes
from pipeline_lib.plan.stages import Stage, Work, model_stage, table_stage
from pipeline_lib.plan.storage import Dataset, artifact_bytes
from pipeline_lib.rivals.candidates import mode_targets, number_of
from pipeline_lib.rivals.contest import STARTS, fits
from pipeline_lib.rivals.places import COLUMNS, N_RANDOM, PATCHED, TOKENS
from pipeline_lib.rivals.waves import frequencies
from pipeline_lib.stimuli.arithmetic import valid_prompts

EXPLAINED_BYTES, CHOSEN_BYTES = 42, 62  # a row as text
SPECTRUM_BYTES, FIT_BYTES, PATCH_BYTES = 113, 86, 89
MODE_BYTES, PLOTTED_BYTES = 110, 650  # of a mode, of a neuron in two figures and a table
N_SUBSPACES = 4 + N_RANDOM
N_FITS, N_PATCHED = 6, 5  # rows of a position and layer


def explain_maps(work: Work) -> Stage:
    """Shares of all fits and the names of what was chosen, a row each; spectra [neurons, modes].

    Memory: the maps at N prompts twice in float64, products of all pairs of columns three times.
    """
    settings, neurons = work.study.rivals, work.n_neurons
    rows = len(STARTS) * len(fits(settings.n_modes))
    chosen = len(STARTS) * 3 * settings.n_modes

    def file_bytes(size: OperatorSizes) -> int:
        targets = [t for t, n in n_modes(work, size.operator).items() for _ in range(n)]
        spectra = Dataset((neurons, len(targets)))
        index = [Dataset((neurons,), "int64")] * 2 + [Dataset((len(targets),), "float64")] * 2
        texts = neurons * (rows * EXPLAINED_BYTES + chosen * CHOSEN_BYTES)
        return texts + artifact_bytes([spectra, *index], targets)

    modes = [2 * sum(n_modes(work, size.operator).values()) for size in work.sizes]
    columns = max(*modes, *(size.n_heuristics for size in work.sizes))
    sampled = max(min(settings.prompts, size.n_valid) for size in work.sizes)
    return table_stage(
        "explain_maps",
        jobs=len(work.sizes),
        disk_bytes=sum(map(file_bytes, work.sizes)),
        array_bytes=8 * (2 * neurons * sampled + 3 * columns**2),
        seconds=assumed.EXPLAIN_SECONDS * neurons * len(work.sizes),
    )


def n_modes(work: Work, operator: str) -> dict[str, int]:
    """How many modes of each number are tried."""
    return _all_modes(operator, *_limits(work), tuple(work.study.rivals.periods))


def plotted_bytes(work: Work) -> int:
    """Numbers behind the figures: spectra, fits and patches again, modes and neurons as text."""
    modes = sum(sum(n_modes(work, size.operator).values()) for size in work.sizes)
    neurons = (
        len(work.sizes) * work.n_neurons * (PLOTTED_BYTES + 3 * work.study.rivals.n_modes * 25)
    )
    return round(number_codes(work).disk_bytes + modes * MODE_BYTES + neurons)


def number_codes(work: Work) -> Stage:
    """A pass of some prompts of every number at three positions, and of both sides of each pair.

    At two positions, for each of `N_SUBSPACES`, a clean run of each pair and a patch at each layer,
    of which the embedding is one at operand 1. Disk: spectra, fits and patches as text.
    """
    settings, n_layers = work.study.rivals, work.shape.n_layers
    passes = patches = 0
    disk = 0
    for size in work.sizes:
        pairs = min(settings.pairs, size.n_evaluation)
        counts = {p: _counts(work, size.operator, p) for p in COLUMNS}
        passes += sum(n for n, _ in counts.values()) + 2 * len(PATCHED) * pairs
        passes += len(PATCHED) * N_SUBSPACES * pairs
        patches += pairs * N_SUBSPACES * sum(_patch_flops(work, p) for p in PATCHED)
        for position, (_, span) in counts.items():
            layers = n_layers + (position != "equals")
            periods = len(frequencies(span, settings.periods))
            disk += layers * (periods * SPECTRUM_BYTES + N_FITS * FIT_BYTES)
            disk += layers * N_PATCHED * PATCH_BYTES if position in PATCHED else 0
    numbers = max(_counts(work, s.operator, p)[1] for s in work.sizes for p in COLUMNS)
    return model_stage(
        work,
        "number_codes",
        jobs=1,
        flops=passes * work.forward + patches,
        disk_bytes=disk,
        array_bytes=3 * numbers * (n_layers + 1) * work.shape.d_model * 4,
        n_rows=max(_counts(work, s.operator, p)[0] for s in work.sizes for p in COLUMNS),
    )


def _patch_flops(work: Work, position: str) -> int:
    """One pair's residual patched at a position, at every layer; logits where nothing else runs."""
    shape, column = work.shape, work.n_tokens + TOKENS[position]
    layers = range(0 if position == "equals" else -1, shape.n_layers)
    least = flops.unembedding_flops(shape)
    return sum(
        max(least, flops.suffix_flops(shape, work.n_tokens, layer, column, "mlp"))
        for layer in layers
    )


def _counts(work: Work, operator: str, position: str) -> tuple[int, int]:
    """Prompts that are run for the numbers at a position, and the integers these span."""
    each = 1 if position == "operand1" else work.study.rivals.prompts_per_number
    return _all_counts(operator, *_limits(work), COLUMNS[position], each)


def _limits(work: Work) -> tuple[int, int, int]:
    prompts = work.study.prompts
    return prompts.min_operand, prompts.max_operand, work.max_number


# many models share these, which count all valid prompts


@lru_cache(maxsize=64)
def _all_modes(
    operator: str, low: int, high: int, max_number: int, periods: tuple[int, ...]
) -> dict[str, int]:
    prompts = _all_valid(operator, low, high, max_number)
    spans = {t: number_of(prompts, t) for t in mode_targets(operator) if len(prompts)}
    return {
        target: len(frequencies(int(number.max() - number.min()) + 1, periods))
        for target, number in spans.items()
    }


@lru_cache(maxsize=256)
def _all_counts(
    operator: str, low: int, high: int, max_number: int, column: str, each: int
) -> tuple[int, int]:
    prompts = _all_valid(operator, low, high, max_number)
    if prompts.empty:
        return 0, 1
    found = prompts[column].value_counts()
    return int(found.clip(upper=each).sum()), int(found.index.max() - found.index.min()) + 1


@lru_cache(maxsize=16)
def _all_valid(operator: str, low: int, high: int, max_number: int) -> pd.DataFrame:
    return valid_prompts(operator, min_operand=low, max_operand=high, max_number=max_number)
