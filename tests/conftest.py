"""Type-checked library under pytest, and tiny random models of every supported architecture."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from jaxtyping import install_import_hook

# before anything of the library is imported: annotations are checked at every call
install_import_hook("pipeline_lib", "beartype.beartype")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from filelock import FileLock  # noqa: E402
from transformers import (  # noqa: E402
    GPT2Config,
    GPTJConfig,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen3Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM  # noqa: E402

from pipeline_lib.models.loading import LanguageModel, load_model  # noqa: E402
from pipeline_lib.models.tokens import NumberTokens  # noqa: E402
from pipeline_lib.models.training.tokenizer import build_tokenizer  # noqa: E402
from pipeline_lib.stimuli.arithmetic import make_prompts  # noqa: E402
from pipeline_lib.stimuli.bernoulli import TEMPLATES, BernoulliTask  # noqa: E402
from tests.project import copy_project, said, snakemake  # noqa: E402
from tests.word_models import save_word_model  # noqa: E402

torch.set_num_threads(1)

MAX_NUMBER = 99
N_LAYERS, N_HEADS, D_HEAD, D_MLP = 3, 4, 8, 40


def _configs() -> dict[str, PreTrainedConfig]:
    vocab = {"vocab_size": MAX_NUMBER + 10, "initializer_range": 0.25}
    named = {
        "hidden_size": N_HEADS * D_HEAD,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "intermediate_size": D_MLP,
        "max_position_embeddings": 32,
    }
    short = {
        "n_embd": N_HEADS * D_HEAD,
        "n_layer": N_LAYERS,
        "n_head": N_HEADS,
        "n_inner": D_MLP,
        "n_positions": 32,
    }
    return {
        "llama": LlamaConfig(**vocab, **named, num_key_value_heads=2),
        # attention alone: MLPs without neurons, as in tiny-induction
        "attn_only": LlamaConfig(**vocab, **{**named, "intermediate_size": 0}),
        "qwen3": Qwen3Config(**vocab, **named, num_key_value_heads=1, head_dim=D_HEAD),
        "gpt_neox": GPTNeoXConfig(**vocab, **named, rotary_pct=0.5),
        "gpt_neox_sequential": GPTNeoXConfig(
            **vocab, **named, rotary_pct=0.25, use_parallel_residual=False
        ),
        "gptj": GPTJConfig(**vocab, **short, rotary_dim=4),
        "gpt2": GPT2Config(**vocab, **short),
    }


# without neurons, so that the tests of all architectures that patch one cannot run on it
ATTENTION_ONLY = "attn_only"
ARCHITECTURES = [name for name in _configs() if name != ATTENTION_ONLY]


def save_tiny_model(folder: Path, name: str, seed: int = 0) -> Path:
    """Save a random model of one architecture, with random norms and biases, and its tokenizer."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(_configs()[name])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    build_tokenizer(MAX_NUMBER).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny model of one architecture, made once a session; do not write into it."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = save_tiny_model(tmp_path_factory.mktemp("models") / name, name)
        return made[name]

    return folder


@pytest.fixture(scope="session", params=ARCHITECTURES)
def tiny_model(
    request: pytest.FixtureRequest, model_folder: Callable[[str], Path]
) -> LanguageModel:
    """Tiny random model of each architecture in float32."""
    return load_model(model_folder(request.param), name=request.param)


@pytest.fixture(scope="session", params=ARCHITECTURES)
def exact_model(
    request: pytest.FixtureRequest, model_folder: Callable[[str], Path]
) -> LanguageModel:
    """The same in float64, for identities that hold to rounding."""
    return load_model(model_folder(request.param), name=request.param, dtype="float64")


@pytest.fixture(scope="session")
def llama_model(model_folder: Callable[[str], Path]) -> LanguageModel:
    """The tiny Llama in float32, where one architecture is enough."""
    return load_model(model_folder("llama"), name="llama")


@pytest.fixture(scope="session")
def attention_model(model_folder: Callable[[str], Path]) -> LanguageModel:
    """A tiny attention-only Llama in float64: its MLPs have no neurons."""
    return load_model(model_folder(ATTENTION_ONLY), name=ATTENTION_ONLY, dtype="float64")


@pytest.fixture(scope="session")
def number_tokens() -> NumberTokens:
    """Number tokens 0..99 of the tiny models' tokenizer."""
    return NumberTokens.measure(build_tokenizer(MAX_NUMBER))


@pytest.fixture(scope="session")
def prompt_pairs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Seven clean prompts and their counterfactuals; some pairs share a prefix."""
    clean = [("add", 12, 34), ("sub", 50, 8), ("mul", 7, 9), ("div", 81, 4), ("add", 5, 5)]
    other = [("mul", 3, 20), ("sub", 50, 9), ("mul", 8, 9), ("add", 40, 41), ("sub", 77, 70)]
    clean += [("add", 60, 3), ("sub", 99, 99)]
    other += [("sub", 60, 4), ("div", 6, 3)]
    return prompt_table(clean), prompt_table(other)


def prompt_table(prompts: list[tuple[str, int, int]]) -> pd.DataFrame:
    """Prompt table of (operator, a, b) triples."""
    rows = [make_prompts(name, np.array([a]), np.array([b])) for name, a, b in prompts]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="session")
def pairs(number_tokens, prompt_pairs):
    """Tokens and answer tokens of the clean prompts and their counterfactuals."""
    clean, other = prompt_pairs
    ids = torch.from_numpy(number_tokens.number_ids)
    return SimpleNamespace(
        tokens=number_tokens.encode(clean),
        other=number_tokens.encode(other),
        answers=ids[torch.tensor(clean["answer"].to_numpy(copy=True))],
        other_answers=ids[torch.tensor(other["answer"].to_numpy(copy=True))],
    )


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project copy in which the whole DAG ran once at test size; copy it before changing it.

    The processes of one test session share it: the first to come makes it, the others wait. While
    one works on a test, ``BAGPIPE_FINISHED`` can name such a folder, made by the same code.
    """
    if made := os.environ.get("BAGPIPE_FINISHED"):
        return Path(made)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "finished_project"
    with FileLock(shared / "finished_project.lock"):
        if not folder.exists():
            result = snakemake(copy_project(shared / "unfinished_project"))
            assert result.returncode == 0, said(result)
            (shared / "unfinished_project").rename(folder)
    return folder


BAYES_CONFIGS = ("config/test.yaml", "words.yaml")


@pytest.fixture(scope="session")
def bayes_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project copy in which the study bayes ran at test size, on a tiny model of whole words.

    Copy it before changing it. The processes of one test session share it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "bayes_project"
    with FileLock(shared / "bayes_project.lock"):
        if not folder.exists():
            unfinished = copy_project(shared / "unfinished_bayes_project")
            task = BernoulliTask.of([0.5, 0.75], [], ["X", "Y"], 10)
            texts = [task.text("xyxyxyxyxy", template) for template in TEMPLATES]
            save_word_model(unfinished / "data" / "models" / "words", texts)
            (unfinished / "words.yaml").write_text(
                "models: {words: {source: local, path: data/models/words}}\n"
                "bayes: {models: [words]}\n"
            )
            result = snakemake(unfinished, "bayes", configs=BAYES_CONFIGS)
            assert result.returncode == 0, said(result)
            unfinished.rename(folder)
    return folder
