"""Cost of patching against prompts, layers, heads, positions and length of the prompts.

Processor time and peak memory on random Llamas, one factor varied at a time around a middle (40
prompts, 4 layers, 4 heads of 16, positions 1 to 4 of 5 tokens), each point in a process of its own.
The formula (`plan.flops`) says: time is linear in prompts, in positions (whole runs), and in the
length; each head adds its own runs and makes every run a little dearer; layers count twice, once as
the patches they hold and once as the layers a patch runs through. So time is fitted against each
factor and against the FLOPs of whole runs and of suffixes. Memory stays within the engine's budget
whatever the number of prompts.

Run it as `python -m benchmarks.cost_model` (Linux, two minutes). Prints one `factor=...
seconds_slope=... seconds_r2=...` line per factor; writes benchmarks/results/cost_model.csv, .png.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FACTORS = {
    "prompts": [10, 20, 40, 80, 120],
    "layers": [2, 3, 4, 6, 8],
    "heads": [1, 2, 4, 8, 16],
    "positions": [1, 2, 3, 4],
    "length": [5, 11, 17, 23, 29],
}
HEAD_WIDTH, WIDTH, NEURONS, WORDS = 16, 64, 256, 1000


@dataclass(frozen=True)
class Case:
    """One point: sizes of the model and of the prompts."""

    prompts: int = 40
    layers: int = 4
    heads: int = 4
    positions: int = 4
    length: int = 5


def main() -> None:
    """Measure every factor, fit, print, write; or measure one point (used for the processes)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three points of each factor")
    parser.add_argument("--repeats", type=int, default=3, help="of each point; the fastest counts")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(Case(**json.loads(options.case)), options.repeats)))
        return
    table = measure_all(options.quick, options.repeats)
    fits = pd.DataFrame([fit(table, factor) for factor in FACTORS])
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "cost_model.csv", index=False)
    draw(table, RESULTS / "cost_model.png")
    for row in fits.to_dict("records"):
        print(" ".join(f"{name}={_show(value)}" for name, value in row.items()))


def measure_all(quick: bool, repeats: int) -> pd.DataFrame:
    """One row for each factor and point."""
    rows = []
    for factor, values in FACTORS.items():
        for value in values[::2] if quick else values:
            case = replace(Case(), **{factor: value})
            command = [sys.executable, "-m", "benchmarks.cost_model", "--repeats", str(repeats)]
            command += ["--case", json.dumps(asdict(case))]
            result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            rows.append({"factor": factor, **asdict(case), **json.loads(result.stdout)})
    return pd.DataFrame(rows)


def measure(case: Case, repeats: int) -> dict[str, float]:
    """Processor seconds of the fastest run, growth of the peak memory (MB), counted FLOPs."""
    import torch

    from pipeline_lib.interventions import capture, patch_components
    from pipeline_lib.plan.flops import patching_flops

    torch.set_num_threads(1)
    model, tokens, other = make(case)
    counterfactual = capture(model, other, ("z", "mlp_post"))
    positions = range(case.length - case.positions, case.length)

    def patch(n: int) -> float:
        start = time.process_time()
        patch_components(
            model,
            tokens[:n],
            counterfactual.prompts(slice(n)),
            tokens[:n, 1],
            other[:n, 1],
            positions=list(positions),
        )
        return time.process_time() - start

    patch(1)  # what is loaded on first use is not the patches' memory
    before = reset_peak_mb()
    seconds = min(patch(case.prompts) for _ in range(repeats))
    return {
        "seconds": seconds,
        "memory_mb": peak_mb() - before,
        **{
            f"{engine}_flops": case.prompts
            * patching_flops(model.shape, case.length, positions, engine)
            for engine in ("suffix", "full")
        },
    }


def make(case: Case):
    """A random Llama of these sizes, clean prompts and others that differ from the start."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from pipeline_lib.models.architectures import LlamaLike
    from pipeline_lib.models.loading import LanguageModel
    from pipeline_lib.models.training.tokenizer import build_tokenizer

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=NEURONS,
        num_hidden_layers=case.layers,
        num_attention_heads=case.heads,
        head_dim=HEAD_WIDTH,
        num_key_value_heads=case.heads,
        vocab_size=WORDS,
    )
    hf = LlamaForCausalLM(config).eval().requires_grad_(False)
    shape = LlamaLike.shape(config.to_dict())
    model = LanguageModel("random", hf, build_tokenizer(99), LlamaLike, shape)
    tokens = torch.randint(0, WORDS // 2, (case.prompts, case.length))
    return model, tokens, tokens + WORDS // 2


def reset_peak_mb() -> float:
    """Forget the peak memory so far (Linux); returns the memory in use."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def peak_mb() -> float:
    """Largest resident memory of this process since the last reset."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


def fit(table: pd.DataFrame, factor: str) -> dict[str, object]:
    """Lines through time and memory against a factor, and through time against the FLOPs."""
    rows = table[table["factor"] == factor]
    slope, r2 = line(rows[factor], rows["seconds"])
    memory_slope, memory_r2 = line(rows[factor], rows["memory_mb"])
    return {
        "factor": factor,
        "seconds_slope": slope,
        "seconds_r2": r2,
        "memory_mb_slope": memory_slope,
        "memory_r2": memory_r2,
        "suffix_flops_r2": line(rows["suffix_flops"], rows["seconds"])[1],
        "full_flops_r2": line(rows["full_flops"], rows["seconds"])[1],
    }


def line(x: pd.Series, y: pd.Series) -> tuple[float, float]:
    """Slope and R^2 of the least-squares line."""
    x, y = x.to_numpy(float), y.to_numpy(float)
    slope, intercept = np.polyfit(x, y, 1)
    total = ((y - y.mean()) ** 2).sum()
    rest = ((y - slope * x - intercept) ** 2).sum()
    return float(slope), float(1 - rest / total) if total else 1.0


def draw(table: pd.DataFrame, path: Path) -> None:
    """Time and memory against every factor, with their lines."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(FACTORS), figsize=(13, 5), layout="constrained")
    labels = {"seconds": "seconds", "memory_mb": "peak memory (MB)"}
    for column, factor in enumerate(FACTORS):
        rows = table[table["factor"] == factor]
        x, flops = (rows[name].to_numpy(float) for name in (factor, "suffix_flops"))
        for ax, name in zip(axes[:, column], labels, strict=True):
            y = rows[name].to_numpy(float)
            by_flops = np.polyval(np.polyfit(flops, y, 1), flops)
            ax.plot(x, y, "o", color="#0072B2", label="measured")
            ax.plot(x, by_flops, "-", color="#D55E00", label="fitted to the formula's FLOPs")
            ax.set(xlabel=factor, ylabel="" if column else labels[name])
            ax.set_ylim(0, 1.1 * y.max())
    axes[0, -1].legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=100)


def _show(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
