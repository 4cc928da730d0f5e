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
from pipeline_lib.interventions.paths import Receiver, Sender, path_patch
from pipeline_lib.interventions.values import key_logits, ov_logits, value_logits

__all__ = [
    "Activations",
    "Attribution",
    "PatchedAnswers",
    "PatchedNeurons",
    "Patches",
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
    "iter_attention",
    "iter_attribution",
    "iter_captured",
    "key_logits",
    "mean_activations",
    "ov_logits",
    "patch_candidates",
    "patch_components",
    "patch_everything",
    "patch_log_probs",
    "patch_logits",
    "patch_neurons",
    "path_patch",
    "predict_ablated",
    "predict_tokens",
    "value_logits",
]
