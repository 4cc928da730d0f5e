"""The clean run with everything a suffix pass starts from."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.errors import ModelError
from pipeline_lib.interventions.hooks import Edit, Hook, check_finite, hooked, metric_dtype, on_site
from pipeline_lib.models.loading import LanguageModel


@dataclass(frozen=True)
class CleanRun:
    """Activations of a run without interventions, one entry per layer, on the layers' devices.

    ``resid[l]`` enters layer l, ``resid[n_layers]`` leaves the last one; ``mid[l]`` is the residual
    between attention and MLP (where they are not parallel); keys are stored after rotation.
    """

    resid: list[Float[Tensor, "prompt token d_model"]]
    mid: list[Float[Tensor, "prompt token d_model"]]
    z: list[Float[Tensor, "prompt token head d_head"]]
    mlp_post: list[Float[Tensor, "prompt token d_mlp"]]
    keys: list[Float[Tensor, "prompt kv_head token d_head"]]
    values: list[Float[Tensor, "prompt kv_head token d_head"]]
    logits: Float[Tensor, "prompt vocab"]

    @property
    def n_tokens(self) -> int:
        """Length of the prompts."""
        return self.resid[0].shape[1]

    def before(
        self, layer: int, position: int, prompts: Int64[Tensor, " row"]
    ) -> tuple[
        Float[Tensor, "row kv_head before d_head"], Float[Tensor, "row kv_head before d_head"]
    ]:
        """A layer's keys and values at the positions before ``position``, a prompt for each row."""
        rows = prompts.to(self.keys[layer].device)
        keys, values = (x[layer][:, :, :position] for x in (self.keys, self.values))
        return keys.index_select(0, rows), values.index_select(0, rows)


def run_clean(model: LanguageModel, tokens: Int[Tensor, "prompt token"]) -> CleanRun:
    """One forward pass of the model's own code that keeps what `CleanRun` lists.

    Raises ActivationError for NaN or infinite logits, and ModelError for prompts that do not
    fit into the model's sliding window, where a position no longer sees all before it.
    """
    check_window(model, tokens.shape[1])
    seen: dict[str, list[Tensor]] = {name: [] for name in ("resid", "attended", "z", "mlp_post")}

    def keep(name: str) -> Edit:
        return lambda x: seen[name].append(x)

    hooks = [Hook(model.layers[0], "input", keep("resid"))]
    for layer in range(model.n_layers):
        hooks.append(on_site(model, "z", layer, keep("z")))
        hooks.append(on_site(model, "mlp_post", layer, keep("mlp_post")))
        hooks.append(on_site(model, "resid_post", layer, keep("resid")))
        hooks.append(Hook(model.attention_outs[layer], "output", keep("attended")))
    with hooked(hooks):
        output = model.hf(input_ids=tokens.to(model.device), use_cache=True, logits_to_keep=1)
    logits = output.logits[:, -1].to(metric_dtype(model))
    check_finite(logits, f"{model.name}: logits of the clean run")
    attended = seen.pop("attended")
    # what enters a layer leaves another, which may lie on another GPU
    entering = zip(seen["resid"], attended, strict=False)
    seen["resid"][:-1] = [resid.to(wrote.device) for resid, wrote in entering]
    mid = [] if model.shape.parallel_residual else _sums(seen["resid"], attended)
    cached = output.past_key_values.layers
    return CleanRun(
        **seen,
        mid=mid,
        keys=[layer.keys for layer in cached],
        values=[layer.values for layer in cached],
        logits=logits,
    )


def check_window(model: LanguageModel, n_tokens: int) -> None:
    """Raise ModelError where positions of ``n_tokens`` do not see all before them."""
    window = getattr(model.hf.config, "sliding_window", None)
    if window is not None and n_tokens >= window:
        raise ModelError(
            "The prompts do not fit into the model's sliding window.",
            where=model.name,
            value=f"{n_tokens} tokens, a window of {window}",
            hint="Exact patching needs attention to all earlier tokens: shorten the prompts.",
        )


def _sums(resid: list[Tensor], attended: list[Tensor]) -> list[Tensor]:
    return [torch.add(x, y) for x, y in zip(resid, attended, strict=False)]
