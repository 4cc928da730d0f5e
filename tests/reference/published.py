"""The published numbers carried in ``data/``, as prompt tables and tensors (see data/README.md)."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig

from pipeline_lib.interventions import Activations, capture
from pipeline_lib.models.loading import LanguageModel, load_model
from pipeline_lib.models.tokens import NumberTokens
from pipeline_lib.stimuli.arithmetic import OPERATORS, make_prompts

DATA = Path(__file__).parent / "data"
CHECKPOINTS = ("trained", "random")
NAMES = tuple(OPERATORS)  # in the reference's order: add, sub, mul, div
SITES = ("z", "mlp_post")
FIRST_HEURISTICS_LAYER, TOP_K = 2, 40

# sha256 over (name, float32 bytes) of all tensors of the random checkpoint, sorted by name
RANDOM_WEIGHTS = "4c71dc1b799265e8560de2037ffe25c0c4761726e564c6d8d954913a7df4dfa9"


@dataclass(frozen=True, eq=False)
class Reference:
    """One checkpoint with the arrays the published code gave on it."""

    name: str
    model: LanguageModel
    tokens: NumberTokens

    def arrays(self, file: str) -> dict[str, np.ndarray]:
        with np.load(DATA / self.name / f"{file}.npz", allow_pickle=False) as stored:
            return dict(stored)

    def encode(self, prompts: pd.DataFrame) -> torch.Tensor:
        return self.tokens.encode(prompts)

    def answer_ids(self, prompts: pd.DataFrame) -> torch.Tensor:
        return torch.from_numpy(self.tokens.number_ids[prompts["answer"].to_numpy()])

    def captured(self, prompts: pd.DataFrame, positions=None) -> Activations:
        return capture(self.model, self.encode(prompts), SITES, positions=positions)


def table(triples: np.ndarray) -> pd.DataFrame:
    """Prompt table of rows (operator index, a, b)."""
    rows = [
        make_prompts(NAMES[o], np.array([a], dtype=np.int64), np.array([b], dtype=np.int64))
        for o, a, b in triples.tolist()
    ]
    return pd.concat(rows, ignore_index=True)


def load_reference(name: str, folder: Path, dtype: str = "float32") -> Reference:
    """The checkpoint ``trained`` (carried) or ``random`` (drawn again into ``folder``)."""
    source = DATA / name / "checkpoint"
    if name == "random":
        source = draw_random_checkpoint(folder / "random")
    model = load_model(source, name=name, dtype=dtype)
    return Reference(name, model, NumberTokens.measure(model.tokenizer))


def draw_random_checkpoint(folder: Path) -> Path:
    """Draw the matrices of the random checkpoint from their seed and put in its stored norms.

    Its 5 MB of noise are not carried: torch draws the same numbers from seed 0 on every machine,
    and the digest proves that they are the same.
    """
    source = DATA / "random" / "checkpoint"
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(source))
    model.load_state_dict(load_file(source / "norms.safetensors"), strict=False)
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode() + tensor.numpy().astype("<f4").tobytes())
    assert digest.hexdigest() == RANDOM_WEIGHTS, "torch or transformers draws other numbers"
    model.save_pretrained(folder)
    for path in (DATA / "trained" / "checkpoint").glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder


def excess(found: np.ndarray, expected: np.ndarray, rtol: float = 1e-3, atol: float = 1e-5):
    """Error in units of what is allowed: at most 1 where the numbers agree."""
    expected = expected.astype(np.float64)
    return np.abs(found - expected) / (atol + rtol * np.abs(expected))
