"""Path patching: what a head changes through its direct path into one receiver.

The sender's z at one position is taken from the counterfactual run. What it writes reaches the
receiver through the residual stream alone: every component between the two stays as in the clean
run. The receiver's output then changes, and all that comes after it is computed anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.altered import Vectors, head_writes
from pipeline_lib.interventions.batching import clean_rows, run_batches
from pipeline_lib.interventions.blocks import Suffix
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.clean import CleanRun, run_clean
from pipeline_lib.interventions.hooks import check_finite, metric_dtype
from pipeline_lib.interventions.patches import Patches
from pipeline_lib.interventions.suffix import Altered, Rows, SuffixEngine
from pipeline_lib.models.loading import LanguageModel

Input = Literal["q", "k", "v", "all"]
Resid = Float[Tensor, "prompt pos d_model"]


@dataclass(frozen=True)
class Sender:
    """A head at one position of the prompt."""

    layer: int
    head: int
    position: int


@dataclass(frozen=True)
class Receiver:
    """What reads the sender: a head (through queries, keys, values or all), an MLP, the logits."""

    kind: Literal["head", "mlp", "logits"]
    layer: int = -1
    head: int = -1
    through: Input = "all"


def path_patch(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    sender: Sender,
    receiver: Receiver,
) -> Float[Tensor, "prompt vocab"]:
    """Last-position logits with the direct path from sender to receiver patched, on the CPU.

    With w = (z' - z) W_O[h] at the sender's position, the receiver reads norm(resid + w) instead
    of norm(resid). ``counterfactual`` holds z of the sender. Raises ValueError when the receiver
    cannot read the sender, ActivationError for NaN or infinite logits.
    """
    check_order(model, sender, receiver)
    result = torch.empty(len(tokens), model.d_vocab, dtype=metric_dtype(model))
    for rows, logits in _iter_logits(model, tokens, counterfactual, sender, receiver):
        check_finite(logits, f"{model.name}: logits after patching a path")
        result[rows] = logits.cpu()
    return result


def check_order(model: LanguageModel, sender: Sender, receiver: Receiver) -> None:
    """Raise ValueError when the receiver cannot read the sender."""
    same = receiver.kind == "mlp" and not model.shape.parallel_residual
    first = sender.layer if same else sender.layer + 1
    if receiver.kind != "logits" and not first <= receiver.layer < model.n_layers:
        raise ValueError(f"{receiver} reads nothing that {sender} writes")


@torch.inference_mode()
def _iter_logits(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    sender: Sender,
    receiver: Receiver,
) -> Iterator[tuple[slice, Float[Tensor, "prompt vocab"]]]:
    engine = SuffixEngine(model)

    def run(rows: slice) -> Float[Tensor, "prompt vocab"]:
        clean = run_clean(model, tokens[rows])
        prompts = torch.arange(rows.stop - rows.start)
        sent = sent_by(model, clean, counterfactual.prompts(rows), sender, prompts)
        if receiver.kind == "logits":
            return _direct(engine, clean, sent, sender.position)
        receive = received_by_head if receiver.kind == "head" else received_by_mlp
        altered = receive(engine, clean, sent, sender.position, receiver)
        positions = sender.position + torch.arange(altered.shape[1])
        joining = Rows(
            prompts,
            torch.full_like(prompts, receiver.layer + 1),
            torch.full_like(prompts, sender.position),
        )
        changed = Altered(positions.expand(len(prompts), -1), altered)
        return engine.readout.logits(engine.last_residual(clean, joining, altered=changed))

    yield from run_batches(len(tokens), clean_rows(model, tokens.shape[1]), run)


def sent_by(
    model: LanguageModel,
    clean: CleanRun,
    counterfactual: Activations,
    sender: Sender,
    prompts: Int64[Tensor, " prompt"],
) -> Vectors:
    """What the sender writes beyond its clean run, into the residual at its position."""
    place = (torch.full_like(prompts, n) for n in (sender.position, sender.layer, sender.head))
    return head_writes(model, clean, counterfactual, Patches(prompts, *place))


def _direct(
    engine: SuffixEngine, clean: CleanRun, sent: Vectors, position: int
) -> Float[Tensor, "prompt vocab"]:
    last = clean.resid[-1][:, -1]
    return engine.readout.logits(
        last + sent.to(last.device) if position == clean.n_tokens - 1 else last
    )


def received_by_mlp(
    engine: SuffixEngine, clean: CleanRun, sent: Vectors, position: int, receiver: Receiver
) -> Resid:
    """Residual leaving the receiving MLP's layer at the sender's position."""
    block, layer = engine.blocks[receiver.layer], receiver.layer
    read = (clean.resid if block.parallel else clean.mid)[layer][:, position]
    before, after = (block.mlp(block.mlp_norm(x)) for x in (read, read + sent.to(read.device)))
    leaving = clean.resid[layer + 1][:, position].to(after.device)
    return (leaving + after - before)[:, None]


def received_by_head(
    engine: SuffixEngine, clean: CleanRun, sent: Vectors, position: int, receiver: Receiver
) -> Resid:
    """Residual leaving the receiving head's layer, from the sender's position on."""
    model, block, layer = engine.model, engine.blocks[receiver.layer], receiver.layer
    z = _received_z(engine, clean, sent, position, receiver)[:, :, receiver.head]
    change = (z - clean.z[layer][:, position:, receiver.head]) @ model.w_o(layer)[receiver.head]
    if block.parallel:
        return clean.resid[layer + 1][:, position:].to(change.device) + change
    return block.finish(clean.mid[layer][:, position:] + change)


def _received_z(
    engine: SuffixEngine, clean: CleanRun, sent: Vectors, position: int, receiver: Receiver
) -> Float[Tensor, "prompt pos head d_head"]:
    """What heads read when the sender's vector enters some of queries, keys and values."""
    block, layer = engine.blocks[receiver.layer], receiver.layer
    entering = clean.resid[layer][:, position:]
    changed = entering.clone()
    changed[:, 0] += sent.to(changed.device)
    suffix = Suffix.of(engine.model, position, clean.n_tokens).to(changed.device)
    angles = (suffix.cos, suffix.sin)
    both = [block.project(block.attention_norm(x), *angles) for x in (entering, changed)]
    queries, *fresh = (
        both[int(receiver.through in (name, "all"))][index] for index, name in enumerate("qkv")
    )
    before = clean.before(layer, position, torch.arange(len(changed)))
    return block.mix(queries, *block.extended(before, fresh), suffix.mask)
