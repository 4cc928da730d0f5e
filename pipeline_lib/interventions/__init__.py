"""The engine: capture, patch, ablate, attribute. No other code touches a model's internals."""

from pipeline_lib.interventions.ablate import (
    ablate,
    ablate_candidates,
    ablate_circuits,
    ablate_heads,
    ablate_neurons,
    predict_ablated,
)
from pipeline_lib.interventions.attention import attention_patterns, iter_attention
from pipeline_lib.interventions.attribute import (
    Attribution,
    attribute,
    attribute_neurons,
    iter_attribution,
)
from pipeline_lib.interventions.candidates import candidate_logits, patch_candidates
from pipeline_lib.interventions.capture import (
    Activations,
    capture,
    iter_captured,
    predict_tokens,
)
from pipeline_lib.interventions.direct import DirectEffects, direct_effects
from pipeline_lib.interventions.logit_lens import lens_logits, norm_gradient, normed
from pipeline_lib.interventions.means import mean_activations
from pipeline_lib.interventions.neurons import PatchedNeurons, patch_neurons
from pipeline_lib.interventions.patch import (
    PatchedAnswers,
    patch_components,
    patch_everything,
    patch_log_probs,
    patch_logits,
)
from pipeline_lib.interventions.patches import Patches
from pipeline_lib.interventions.path_grid import Path, patch_paths
from pipeline_lib.interventions.paths import Receiver, Sender, path_patch
from pipeline_lib.interventions.values import key_logits, ov_logits, value_logits
from pipeline_lib.interventions.vectors import patch_residuals

__all__ = [
    "Activations",
    "Attribution",
    "DirectEffects",
    "PatchedAnswers",
    "PatchedNeurons",
    "Patches",
    "Path",
    "Receiver",
    "Sender",
    "ablate",
    "ablate_candidates",
    "ablate_circuits",
    "ablate_heads",
    "ablate_neurons",
    "attention_patterns",
    "attribute",
    "attribute_neurons",
    "candidate_logits",
    "capture",
    "direct_effects",
    "iter_attention",
    "iter_attribution",
    "iter_captured",
    "key_logits",
    "lens_logits",
    "mean_activations",
    "norm_gradient",
    "normed",
    "ov_logits",
    "patch_candidates",
    "patch_components",
    "patch_everything",
    "patch_log_probs",
    "patch_logits",
    "patch_neurons",
    "patch_paths",
    "patch_residuals",
    "path_patch",
    "predict_ablated",
    "predict_tokens",
    "value_logits",
]
