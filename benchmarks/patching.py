"""Activation patching of every head and MLP, beside the plain loops that everyone writes.

(a) one hooked full forward for each component and position, all prompts in one batch, with
TransformerLens; (b) the same with bare hooks on the Hugging Face model; (c) `patch_components`.
All three give the log-probabilities of both answers after every patch, from the same recorded
counterfactual activations. Every logit of (c) is compared with (a).

Run it as `python -m benchmarks.patching`. `--quick` times the loops on a sample of their forward
passes, which all cost the same, and scales up. Writes benchmarks/results/patching_{model}.csv and
.png; the last line is for machines.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.machine import count_gflop, matmul_peak, timed
from benchmarks.subjects import MODELS, RESULTS, Pairs, draw_pairs, load_subject
from pipeline_lib.figures.style import COLUMN, MEDIUM, new_figure, style
from pipeline_lib.interventions import PatchedAnswers, Patches, capture, patch_components
from pipeline_lib.interventions import patch_logits as patch_list
from pipeline_lib.measures.effects import indirect_effect
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.verification.lens import TransformerLensHooks
from pipeline_lib.verification.plain import HuggingFaceHooks, PlainHooks

POSITIONS = (1, 2, 3, 4)
METHODS = {"tl": "TransformerLens loop", "hf": "Hugging Face loop", "ours": "Bagpipe"}
CHUNK = 20  # patches of all prompts whose logits are kept to be compared
COUNTED_PROMPTS = 2
Where = tuple[int, int, int]
"""Layer, component, position."""


def main() -> None:
    """Measure each model, write its table and figure, print the lines."""
    options = read_options()
    torch.set_num_threads(options.threads)
    RESULTS.mkdir(exist_ok=True)
    lines = []
    for name in options.model:
        table, differences = measure(name, options)
        table.to_csv(RESULTS / f"patching_{name}.csv", index=False)
        draw(table, RESULTS / f"patching_{name}.png")
        print(table.drop(columns=["date", "torch"]).to_string(index=False))
        lines.append(summary(name, table, differences))
        print(lines[-1])


def read_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--quick", action="store_true", help="time a sample of the loops' forwards")
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument(
        "--rounds", type=int, help="rounds, the median counts (tiny-arith 15, else 1)"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def measure(name: str, options: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, float]]:
    """Table of the three methods, and the largest differences of (c) from (a)."""
    model, pairs = load_subject(name), draw_pairs(load_subject("tiny-arith"), options.prompts)
    lens = TransformerLensHooks(load_subject(name))
    loops: dict[str, PlainHooks] = {"tl": lens, "hf": HuggingFaceHooks(model)}
    recorded = {key: hooks.record(pairs.other) for key, hooks in loops.items()}
    other = capture(model, pairs.other, ("z", "mlp_post"), positions=POSITIONS)
    every, timed_ones = patches_of(model, quick=options.quick)
    if options.quick:
        print(f"{name}: --quick times {len(timed_ones)} of {len(every)} forwards of each loop")

    def ours() -> PatchedAnswers:
        return patch_components(model, pairs.tokens, other, pairs.answers, pairs.other_answers)

    def forward(key: str, where: Where) -> torch.Tensor:
        layer, component, position = where
        source = recorded[key][layer, component == model.n_heads]
        logits = loops[key].patch(pairs.tokens, source, layer, position, component)
        two = torch.stack([pairs.answers, pairs.other_answers], 1)
        logits.log_softmax(-1).gather(1, two)
        return logits

    # counting warms up, too
    gflop = {key: len(every) * count_gflop(lambda k=key: forward(k, every[0])) for key in loops}
    few = Pairs(*(part[:COUNTED_PROMPTS] for part in vars(pairs).values()))
    part = other.prompts(slice(0, COUNTED_PROMPTS))
    gflop["ours"] = (options.prompts / COUNTED_PROMPTS) * count_gflop(
        lambda: patch_components(model, few.tokens, part, few.answers, few.other_answers)
    )
    answers: list[PatchedAnswers] = []
    seconds: dict[str, list[float]] = {key: [] for key in METHODS}
    for _ in range(options.rounds or (15 if name == "tiny-arith" else 1)):
        for key in loops:
            places = tqdm(timed_ones, desc=METHODS[key], leave=False, disable=None)
            times = [timed(lambda w=where, k=key: forward(k, w)) for where in places]
            seconds[key].append(statistics.fmean(times) * len(every))
        seconds["ours"].append(timed(lambda: answers.append(ours())))
    rows = [row(name, key, statistics.median(seconds[key]), gflop[key], options) for key in METHODS]
    table = pd.DataFrame(rows)
    peak = matmul_peak()
    table["peak_gflop_per_s"], table["share_of_peak"] = peak, table["gflop_per_s"] / peak
    table["forwards"], table["forwards_timed"] = len(every), len(timed_ones)
    untouched = lens.logits(pairs.tokens)
    compared = compare(
        model, pairs, other, answers[-1], timed_ones, lambda w: forward("tl", w), untouched
    )
    return table, compared


def patches_of(model: LanguageModel, *, quick: bool) -> tuple[list[Where], list[Where]]:
    """All components and positions, and those that the loops really run."""
    every = [
        (layer, component, position)
        for layer in range(model.n_layers)
        for component in range(model.n_heads + 1)
        for position in POSITIONS
    ]
    if not quick:
        return every, every
    layers = {0, model.n_layers // 2, model.n_layers - 1}
    return every, [w for w in every if w[0] in layers and w[1] in (0, model.n_heads)]


def row(
    name: str, key: str, seconds: float, gflop: float, options: argparse.Namespace
) -> dict[str, object]:
    """What is said of one method."""
    return {
        "model": name,
        "method": METHODS[key],
        "seconds": seconds,
        "gflop": gflop,
        "gflop_per_s": gflop / seconds,
        "prompts": options.prompts,
        "threads": options.threads,
        "quick": options.quick,
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def compare(
    model: LanguageModel,
    pairs: Pairs,
    other: object,
    answers: PatchedAnswers,
    places: list[Where],
    plain: Callable[[Where], torch.Tensor],
    untouched: torch.Tensor,
) -> dict[str, float]:
    """Largest difference of logits and of effects (eq. 1), over places and prompts.

    Differences of effects are in units of their tolerance, rtol 1e-3 and atol 1e-5.
    """
    found = {"logit": 0.0, "effect": 0.0, "size": 0.0}
    pair = torch.stack([pairs.answers, pairs.other_answers], 1)
    clean = log_probs_of(untouched, pair)
    effects = answers.indirect_effect()
    for chunk in _chunks(places):
        theirs = torch.stack([plain(where) for where in chunk])
        patches = patches_at(chunk, len(pairs.tokens))
        ours = patch_list(model, pairs.tokens, other, patches).reshape(theirs.shape)
        found["logit"] = max(found["logit"], float((ours - theirs).abs().max()))
        found["size"] = max(found["size"], float(theirs.abs().max()))
        layer, component, position = torch.tensor(chunk).T
        mine = effects[:, position - POSITIONS[0], layer, component].T
        patched = log_probs_of(theirs, pair.expand(len(chunk), -1, -1))
        effect = indirect_effect(clean[..., 0], clean[..., 1], patched[..., 0], patched[..., 1])
        tolerance = 1e-5 + 1e-3 * np.abs(effect)
        found["effect"] = max(found["effect"], float((np.abs(mine - effect) / tolerance).max()))
    return found


def log_probs_of(logits: torch.Tensor, token_ids: torch.Tensor) -> np.ndarray:
    """Log-probabilities of some tokens, in float64."""
    return logits.double().log_softmax(-1).gather(-1, token_ids).numpy()


def patches_at(places: list[Where], n_prompts: int) -> Patches:
    """The places in every prompt, prompts fastest."""
    layer, component, position = torch.tensor(places).repeat_interleave(n_prompts, 0).T
    prompt = torch.arange(n_prompts).repeat(len(places))
    return Patches(prompt, position, layer, component)


def _chunks(places: list[Where]) -> Iterator[list[Where]]:
    for start in range(0, len(places), CHUNK):
        yield places[start : start + CHUNK]


def summary(name: str, table: pd.DataFrame, differences: dict[str, float]) -> str:
    """The line for machines."""
    seconds = table.set_index("method")["seconds"]
    ours = seconds[METHODS["ours"]]
    share = table.set_index("method")["share_of_peak"][METHODS["ours"]]
    print(
        f"{name}: largest logit {differences['size']:.1f}, largest difference of a logit "
        f"{differences['logit']:.2e}, of an effect {differences['effect']:.2f} of its tolerance"
    )
    return (
        f"model={name} ratio_tl={seconds[METHODS['tl']] / ours:.2f} "
        f"ratio_hf={seconds[METHODS['hf']] / ours:.2f} "
        f"max_rel_diff={differences['logit'] / differences['size']:.2e} peak_share={share:.3f}"
    )


def draw(table: pd.DataFrame, path: object) -> None:
    """Bars of the times, with how many times slower each is."""
    with style():
        figure = new_figure(COLUMN, 1.5)
        axes = figure.subplots()
        ours = table["seconds"].iloc[-1]
        bars = axes.barh(table["method"], table["seconds"], color=["#6E6E6E", "#6E6E6E", "#0072B2"])
        labels = [
            f" {s:.3g} s ({s / ours:.1f} x), {100 * p:.0f} % of peak"
            for s, p in zip(table["seconds"], table["share_of_peak"], strict=True)
        ]
        axes.bar_label(bars, labels, fontsize=MEDIUM - 1)
        axes.set_xlim(0, 1.9 * table["seconds"].max())
        axes.invert_yaxis()
        axes.set_xlabel(f"seconds, {table['model'].iloc[0]}, {table['prompts'].iloc[0]} prompts")
        figure.savefig(path, dpi=200)


if __name__ == "__main__":
    main()
