"""Training of the built-in model ``tiny-arith``: a small Llama that does integer arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from pipeline_lib.logs import logger, progress
from pipeline_lib.models.training.data import ArithmeticData, batches, encode, split_prompts
from pipeline_lib.models.training.evaluation import accuracy_table
from pipeline_lib.models.training.folders import save_folder
from pipeline_lib.models.training.optimisation import build_optimizers, learning_rate_factor
from pipeline_lib.models.training.settings import TrainingSettings
from pipeline_lib.models.training.tokenizer import build_tokenizer
from pipeline_lib.rng import generator

LOSS_EVERY = 50


@dataclass(frozen=True)
class TrainingRun:
    """A trained model and its loss (nats per answer) at every step."""

    model: LlamaForCausalLM
    losses: list[float]


def build_model(settings: TrainingSettings, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """Randomly initialised float32 Llama with untied embeddings for this tokenizer."""
    size = settings.size
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.d_model,
        intermediate_size=size.d_mlp,
        num_hidden_layers=size.n_layers,
        num_attention_heads=size.n_heads,
        num_key_value_heads=size.n_heads,
        head_dim=size.d_head,
        max_position_embeddings=tokenizer.model_max_length,
        initializer_range=size.init_std,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        dtype="float32",
    )
    seed = int(generator(settings.seed, "train_tiny_arith", "init").integers(2**63))
    # transformers initialises from torch's global generator only; the fork gives it back unchanged.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def answer_loss(
    model: nn.Module,
    tokens: Int[Tensor, "prompt pos"],
    answers: Int[Tensor, " prompt"],
    bfloat16: bool,
) -> Float[Tensor, ""]:
    """Mean cross-entropy (nats) of the answer after "="; earlier positions are not trained on."""
    with torch.autocast(tokens.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        logits = model(tokens, logits_to_keep=1, use_cache=False).logits[:, -1]
    return functional.cross_entropy(logits.float(), answers)


def train(
    data: ArithmeticData,
    model: LlamaForCausalLM,
    settings: TrainingSettings,
    keep: Callable[[int, LlamaForCausalLM], None] | None = None,
) -> TrainingRun:
    """Train ``model`` in place; ``keep(step, model)`` is called at every checkpoint.

    Results on different machines, or numbers of threads, are close but not bit-identical.
    """
    optimizers = build_optimizers(model, settings)

    def factor(step: int) -> float:
        return learning_rate_factor(step, settings.steps, settings.warmup_fraction)

    schedules = [LambdaLR(optimizer, factor) for optimizer in optimizers]
    losses: list[float] = []
    model.train()
    steps = progress(batches(data, settings), "training", total=settings.steps, unit="step")
    for step, (tokens, answers) in enumerate(steps):
        if keep is not None and step in settings.checkpoints:
            keep(step, model)
        loss = answer_loss(model, tokens, answers, settings.bfloat16)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        model.zero_grad()
        losses.append(loss.item())
        if step % LOSS_EVERY == 0 or step == settings.steps - 1:
            logger.info("step %d: loss %.4f", step, losses[-1])
    model.eval()
    return TrainingRun(model, losses)


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` steps of the model in ``folder`` is kept: beside it."""
    return folder.with_name(f"{folder.name}@step{step}")


def train_and_save(settings: TrainingSettings, folder: Path) -> pd.DataFrame:
    """Train from scratch; write the model and its checkpoints; return all accuracies.

    The final model is stored in ``folder`` as float32, the checkpoint of step n in ``folder@stepn``
    as float16; every folder also holds its own ``accuracy.csv``. The table returned has the columns
    step, operator, split (all, train, held_out), prompts and accuracy.
    """
    tokenizer = build_tokenizer(settings.max_number)
    data = encode(split_prompts(settings), tokenizer)
    tables: list[pd.DataFrame] = []

    def save(step: int, model: LlamaForCausalLM, to: Path, dtype: torch.dtype) -> None:
        accuracy = accuracy_table(save_folder(model, tokenizer, to, dtype), data)
        accuracy.to_csv(to / "accuracy.csv", index=False, float_format="%.6f")
        tables.append(accuracy.assign(step=step))

    def keep(step: int, model: LlamaForCausalLM) -> None:
        save(step, model, checkpoint_folder(folder, step), torch.float16)

    run = train(data, build_model(settings, tokenizer), settings, keep)
    save(settings.steps, run.model, folder, torch.float32)
    return pd.concat(tables)[["step", "operator", "split", "prompts", "accuracy"]]
