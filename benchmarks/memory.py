"""Peak memory of the caching and mapping stages against the number of prompts.

Each stage runs in a process of its own on N and on 10 N prompts; its peak resident memory must not
grow with the number. Prints one line per stage, the last of them readable by machines.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("activations", "maps")


def run_stage(stage: str, n_prompts: int, folder: Path) -> float:
    """Run one stage on the built-in model and return this process's peak memory in MB."""
    import pandas as pd

    from pipeline_lib.artifacts.activations import write_activations
    from pipeline_lib.artifacts.map_writing import write_maps
    from pipeline_lib.models.loading import load_model
    from pipeline_lib.models.tokens import NumberTokens
    from pipeline_lib.stimuli.arithmetic import valid_prompts

    model = load_model(ROOT / "data" / "models" / "tiny-arith")
    numbers = NumberTokens.measure(model.tokenizer)
    prompts = valid_prompts("add", min_operand=0, max_operand=300, max_number=numbers.max_number)
    prompts = prompts.iloc[:n_prompts]
    tokens = numbers.encode(prompts)
    path = folder / f"{stage}_{n_prompts}.h5"
    if stage == "activations":
        sites = ["z", "mlp_post", "resid_post"]
        write_activations(path, model, tokens, sites, dtype="float32", provenance={})
    else:
        neurons = pd.DataFrame({"layer": [2] * 64 + [3] * 64, "neuron": [*range(64)] * 2})
        ids = numbers.number_ids
        write_maps(path, model, tokens, prompts, neurons, ids, dtype="float32", provenance={})
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(stage: str, n_prompts: int) -> float:
    """Peak memory (MB) of a stage in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--stage", stage, "--prompts", str(n_prompts)]
        command += ["--folder", folder]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(json.loads(result.stdout.splitlines()[-1])["peak_mb"])


def main() -> None:
    """Measure all stages, or run one of them (used for the fresh processes)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=6_000, help="N; 10 N are run as well")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        sys.path.insert(0, str(ROOT))
        print(json.dumps({"peak_mb": run_stage(options.stage, options.prompts, options.folder)}))
        return
    for stage in STAGES:
        few, many = measure(stage, options.prompts), measure(stage, 10 * options.prompts)
        growth = 2**20 * (many - few) / (9 * options.prompts)
        print(
            f"stage={stage} prompts={options.prompts} peak_mb={few:.0f} "
            f"ten_times_peak_mb={many:.0f} growth_bytes_per_prompt={growth:.0f}"
        )


if __name__ == "__main__":
    main()
