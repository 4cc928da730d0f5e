"""Training of the built-in model ``tiny-induction``: attention alone, on repeated phrases."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from pipeline_lib.errors import ConfigError
from pipeline_lib.induction.heads import head_scores, recall, score_table, uniform_score
from pipeline_lib.induction.measures import drift, p_x
from pipeline_lib.interventions import attention_patterns, candidate_logits
from pipeline_lib.logs import logger, progress
from pipeline_lib.models.loading import LanguageModel, load_model, quiet_transformers
from pipeline_lib.models.training.folders import save_folder
from pipeline_lib.models.training.optimisation import (
    Optimisation,
    build_optimizers,
    learning_rate_factor,
)
from pipeline_lib.models.training.words import BOS, build_word_tokenizer, word_ids
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.repeated import repeated_tokens
from pipeline_lib.stimuli.sequences import HEAD, NAMED_COUNTS, orders_of, read_orders

STAGE = "train_tiny_induction"
LOSS_EVERY = 50
SCORED_SEQUENCES, SCORED_TOKENS = 200, 20


@dataclass(frozen=True)
class AttentionSize:
    """Size of the attention-only Llama; the defaults give 83,008 parameters."""

    n_layers: int = 2
    n_heads: int = 8
    d_head: int = 16
    d_model: int = 64
    init_std: float = 0.05
    rope_theta: float = 100.0
    nearness: float = 2.0
    """How sharply the first layer starts out attending to near tokens (see `start_near`)."""


@dataclass(frozen=True)
class InductionTraining(Optimisation):
    """Everything that decides a training run; the defaults give the model that is shipped."""

    size: AttentionSize = AttentionSize()
    seed: int = 42
    steps: int = 1_000
    batch: int = 48
    """Texts of a batch."""
    length: int = 64
    """Tokens of a text, the beginning token among them."""
    words: int = 96
    """Made-up words of the vocabulary, beside the capital letters."""
    most_phrases: int = 6
    """Phrases of a text, 1 to this many."""
    longest_phrase: int = 8
    """Words of a phrase, 1 to this many."""
    weight_decay: float = 0.1

    def __post_init__(self) -> None:
        most = self.most_phrases * self.longest_phrase
        if min(self.steps, self.batch, self.length - 1, self.words) < 1 or most > self.words + 26:
            raise ConfigError(
                "These training settings are out of range.",
                where="InductionTraining",
                value=self,
                hint="All phrases of a text are of different words: most_phrases * longest_phrase "
                "is at most words + 26; counts are at least 1.",
            )


def build_attention_model(
    settings: InductionTraining, tokenizer: PreTrainedTokenizerBase
) -> LlamaForCausalLM:
    """Randomly initialised float32 Llama whose MLPs have no neurons."""
    size = settings.size
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.d_model,
        intermediate_size=0,
        num_hidden_layers=size.n_layers,
        num_attention_heads=size.n_heads,
        num_key_value_heads=size.n_heads,
        head_dim=size.d_head,
        attention_bias=True,
        max_position_embeddings=tokenizer.model_max_length,
        rope_parameters={"rope_type": "default", "rope_theta": size.rope_theta},
        initializer_range=size.init_std,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        dtype="float32",
    )
    rng = generator(settings.seed, STAGE, "init")
    # transformers initialises from torch's global generator only; the fork gives it back unchanged.
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        model = LlamaForCausalLM(config)
    start_near(model, size, rng)
    return model


@torch.no_grad()
def start_near(model: LlamaForCausalLM, size: AttentionSize, rng: np.random.Generator) -> None:
    """Let the heads of the first layer start out attending to near tokens, each by its own amount.

    Their query and key biases are equal: under rotary positions the score of a token then falls
    with its distance, whatever the tokens are. Without it, it takes tens of times as long until a
    head attends to the previous token, which induction builds on.
    """
    attention = model.model.layers[0].self_attn
    directions = rng.standard_normal((size.n_heads, size.d_head))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    amounts = size.nearness * np.arange(1, size.n_heads + 1) / size.n_heads
    bias = directions * (amounts * np.sqrt(size.d_head))[:, None]
    for projection in (attention.q_proj, attention.k_proj):
        projection.bias.copy_(torch.from_numpy(bias.ravel()).float())


def draw_texts(
    settings: InductionTraining,
    words: Int64[np.ndarray, " word"],
    first: tuple[int, int],
    rng: np.random.Generator,
) -> Int64[Tensor, "text token"]:
    """A batch of texts: a few phrases of random words, in random order again and again.

    ``first`` are the ids of the beginning token, which all texts have, and of "Sequence:", which
    follows it in every other text.

    No word is in two phrases of a text, so within a phrase that has come before, the next word is
    what followed the last time. Nothing but the text itself tells which words those are.
    """
    texts = np.full((settings.batch, settings.length), first[0], dtype=np.int64)
    texts[::2, 1] = first[1]
    for number, whole in enumerate(texts):
        text = whole[1 + (number + 1) % 2 :]
        lengths = rng.integers(
            1, settings.longest_phrase + 1, rng.integers(settings.most_phrases) + 1
        )
        phrases = np.split(rng.permutation(words)[: lengths.sum()], lengths.cumsum()[:-1])
        order = rng.integers(len(phrases), size=len(text))
        text[:] = np.concatenate([phrases[which] for which in order])[: len(text)]
    return torch.from_numpy(texts)


def batches(
    settings: InductionTraining, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Int64[Tensor, "text token"]]:
    """``settings.steps`` batches of texts."""
    rng = generator(settings.seed, STAGE, "texts")
    words, vocab = word_ids(tokenizer), tokenizer.get_vocab()
    first = (vocab[BOS], vocab[HEAD])
    for _ in range(settings.steps):
        yield draw_texts(settings, words, first, rng)


def text_loss(model: nn.Module, tokens: Int64[Tensor, "text token"]) -> Float[Tensor, ""]:
    """Mean cross-entropy (nats) of every token after the first."""
    logits = model(tokens, use_cache=False).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, settings: InductionTraining
) -> list[float]:
    """Train ``model`` in place; the loss of every step (nats a token).

    Results on different machines, or numbers of threads, are close but not bit-identical.
    """
    optimizers = build_optimizers(model, settings)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    losses: list[float] = []
    model.train()
    steps = progress(batches(settings, tokenizer), "training", total=settings.steps, unit="step")
    for step, tokens in enumerate(steps):
        factor = learning_rate_factor(step, settings.steps, settings.warmup_fraction)
        loss = text_loss(model, tokens)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        for optimizer, rates in zip(optimizers, peaks, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimizer.step()
        model.zero_grad()
        losses.append(loss.item())
        if step % LOSS_EVERY == 0 or step == settings.steps - 1:
            logger.info("step %d: loss %.4f", step, losses[-1])
    model.eval()
    return losses


def score_folder(folder: Path) -> pd.DataFrame:
    """What the model in a folder can do: quantity, of what, value, 95 % interval over sequences.

    Induction, previous-token and same-token scores of every head and the recall of both halves, on
    random tokens that come twice; P(X) after the orders of three X and three Y.
    """
    model = load_model(folder)
    rng = generator(0, STAGE, "scores")
    sequences = repeated_tokens(model.tokenizer, SCORED_SEQUENCES, SCORED_TOKENS, rng)
    patterns = attention_patterns(model, sequences.tokens).double().numpy()
    scores = score_table(head_scores(patterns, sequences), uniform_score(sequences), rng)
    halves = recall(model, sequences, rng)
    rows = [
        (
            f"{row['score']}_score",
            f"L{row['layer']}H{row['head']}",
            row["mean"],
            row["low"],
            row["high"],
        )
        for row in scores.to_dict("records")
    ]
    rows += [
        ("recall", f"{row['part']} half", row["accuracy"], row["low"], row["high"])
        for row in halves.to_dict("records")
    ]
    orders = orders_of(*NAMED_COUNTS)
    found = order_probabilities(model, orders)
    rows += [
        ("p_x", order, value, np.nan, np.nan) for order, value in zip(orders, found, strict=True)
    ]
    rows.append(("drift", f"{len(orders)} orders", float(drift(found)), np.nan, np.nan))
    return pd.DataFrame(rows, columns=["quantity", "of", "value", "low", "high"])


def order_probabilities(model: LanguageModel, orders: list[str]) -> np.ndarray:
    """P(X) after each order of X and Y [order]."""
    prompts = read_orders(model.tokenizer, orders, ("X", "Y"))
    return p_x(candidate_logits(model, prompts.tokens, prompts.candidates).numpy())


def train_and_save_induction(settings: InductionTraining, folder: Path) -> pd.DataFrame:
    """Train from scratch, write the model (float32) and its ``scores.csv``; return the scores."""
    tokenizer = build_word_tokenizer(settings.words, generator(settings.seed, STAGE, "words"))
    model = build_attention_model(settings, tokenizer)
    train(model, tokenizer, settings)
    save_folder(model, tokenizer, folder)
    scores = score_folder(folder)
    scores.to_csv(folder / "scores.csv", index=False, float_format="%.6f")
    return scores
