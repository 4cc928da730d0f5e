"""Jobs of one model that share a load, against jobs that each load it.

python -m benchmarks.loads [--layers 12] [--jobs 16]

Jobs as Snakemake starts them, one after the other: open a model of random weights (1.4 GB with 12
layers) that is on disk, and run one prompt.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.machine import timed
from benchmarks.subjects import TINY
from pipeline_lib.models.manifest import describe_model
from pipeline_lib.warm.launch import environment_of_jobs
from pipeline_lib.warm.protocol import FOLDER_VARIABLE, SHARE_VARIABLE, process_name

ROOT = Path(__file__).resolve().parents[1]
WAYS = {"each": ("off", "0"), "warm": ("", "0"), "shared": ("", "1")}
"""Every job loads libraries and model; the model alone; one job loads for all."""
SCRIPT = """
import torch
from pipeline_lib.models.opening import open_model
model = open_model({manifest!r}, dtype="float32", device_map="cpu")
with torch.no_grad():
    model.hf(torch.tensor([[1, 2, 3, 4, 5]]))
"""


def make_model(folder: Path, layers: int) -> Path:
    """Random weights, with the numbers' tokenizer of the built-in model; its manifest."""
    config = LlamaConfig(
        hidden_size=1536, num_hidden_layers=layers, num_attention_heads=12, num_key_value_heads=4,
        intermediate_size=4608, vocab_size=1009, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    for file in TINY.glob("tokenizer*"):
        shutil.copy2(file, folder)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(describe_model(folder, "big", {"source": "local"})))
    return manifest


def seconds(folder: Path, manifest: Path, way: str, n_jobs: int) -> float:
    """Wall time of all jobs; the server's start and the first load are part of it."""
    warm, share = WAYS[way]
    asked = {**os.environ, FOLDER_VARIABLE: warm, SHARE_VARIABLE: share, "PYTHONPATH": ""}
    ours = environment_of_jobs(ROOT, asked)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as main:
        if warm != "off":
            ours |= {FOLDER_VARIABLE: str(folder / way), "BAGPIPE_MAIN": process_name(main.pid)}
        scripts = folder / ".snakemake" / "scripts"
        scripts.mkdir(parents=True, exist_ok=True)
        script = scripts / "tmp.job.py"
        script.write_text(SCRIPT.format(manifest=str(manifest)))

        def run() -> None:
            for _ in range(n_jobs):
                subprocess.run([sys.executable, str(script)], env={**asked, **ours}, check=True)

        spent = timed(run)
        main.communicate(b"\n")
    return spent


def main() -> None:
    """Print the time of each way, and how many times longer than sharing it takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = make_model(folder / "big", options.layers)
        size = sum(file.stat().st_size for file in (folder / "big").iterdir())
        times = {way: seconds(folder, manifest, way, options.jobs) for way in WAYS}
    facts = [f"weights={size / 1e9:.1f}GB jobs={options.jobs}"]
    facts += [f"{way}={value:.1f}s" for way, value in times.items()]
    facts += [f"{way}_ratio={times[way] / times['shared']:.2f}" for way in ("each", "warm")]
    print(" ".join(facts))


if __name__ == "__main__":
    main()
