"""Many paths at once: candidate logits after each path of a list is patched (see `path_patch`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import clean_rows, run_batches, suffix_rows
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.clean import CleanRun, run_clean
from pipeline_lib.interventions.hooks import check_finite
from pipeline_lib.interventions.paths import (
    Receiver,
    Sender,
    check_order,
    received_by_head,
    received_by_mlp,
    sent_by,
)
from pipeline_lib.interventions.suffix import Altered, Rows, SuffixEngine
from pipeline_lib.models.loading import LanguageModel


@dataclass(frozen=True)
class Path:
    """Heads of one position that send together, and the head or MLP that receives."""

    senders: tuple[Sender, ...]
    receiver: Receiver

    @property
    def position(self) -> int:
        """The senders' position."""
        return self.senders[0].position


@torch.inference_mode()
def patch_paths(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    paths: Sequence[Path],
    token_ids: Int64[Tensor, "prompt candidate"],
) -> Float64[Tensor, "path prompt candidate"]:
    """Candidate logits of every prompt after each path is patched, one at a time.

    A path is `path_patch` of its senders together; a clean run of a prompt serves all paths, and
    paths that join at one layer and position share a pass. Raises ValueError for senders of several
    positions or a receiver that cannot read them or is no head or MLP, ActivationError for NaN or
    infinite logits.
    """
    for path in paths:
        if path.receiver.kind == "logits" or len({s.position for s in path.senders}) != 1:
            raise ValueError(f"{path} has no head or MLP that reads heads of one position")
        for sender in path.senders:
            check_order(model, sender, path.receiver)
    found = torch.empty(len(paths), *token_ids.shape, dtype=torch.float64)
    engine = SuffixEngine(model)

    def run(rows: slice) -> Tensor:
        clean = run_clean(model, tokens[rows])
        held = counterfactual.prompts(rows)
        return _all_paths(engine, clean, held, paths, token_ids[rows])

    for rows, logits in run_batches(len(tokens), clean_rows(model, tokens.shape[1]), run):
        found[:, rows] = logits
    check_finite(found, f"{model.name}: logits after patching paths")
    return found


def _all_paths(
    engine: SuffixEngine,
    clean: CleanRun,
    counterfactual: Activations,
    paths: Sequence[Path],
    token_ids: Int64[Tensor, "prompt candidate"],
) -> Float64[Tensor, "path prompt candidate"]:
    n_prompts = len(counterfactual)
    found = torch.empty(len(paths), n_prompts, token_ids.shape[1], dtype=torch.float64)
    together: dict[tuple[int, int], list[int]] = {}
    for number, path in enumerate(paths):
        together.setdefault((path.receiver.layer, path.position), []).append(number)
    for (layer, position), numbers in together.items():
        size = max(1, suffix_rows(engine.model, clean.n_tokens - position) // n_prompts)
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            altered = torch.cat([_received(engine, clean, counterfactual, paths[n]) for n in some])
            prompts = torch.arange(n_prompts).repeat(len(some))
            rows = Rows(
                prompts, torch.full_like(prompts, layer + 1), torch.full_like(prompts, position)
            )
            at = (position + torch.arange(altered.shape[1])).expand(len(prompts), -1)
            resid = engine.last_residual(clean, rows, altered=Altered(at, altered))
            logits = engine.readout.token_logits(resid, token_ids[prompts])
            found[some] = logits.unflatten(0, (len(some), n_prompts))
    return found


def _received(
    engine: SuffixEngine, clean: CleanRun, counterfactual: Activations, path: Path
) -> Float[Tensor, "prompt pos d_model"]:
    """Residual leaving the receiver's layer, from the senders' position on."""
    prompts = torch.arange(len(counterfactual))
    vectors = [sent_by(engine.model, clean, counterfactual, s, prompts) for s in path.senders]
    sent = torch.stack([v.to(vectors[0].device) for v in vectors]).sum(0)
    if path.receiver.kind == "head":
        return received_by_head(engine, clean, sent, path.position, path.receiver)
    moved = received_by_mlp(engine, clean, sent, path.position, path.receiver)
    after = clean.resid[path.receiver.layer + 1][:, path.position + 1 :].to(moved.device)
    return torch.cat([moved, after], 1)
