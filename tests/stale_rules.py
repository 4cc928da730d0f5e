"""Which rules of the arithmetic study follow from which: what a change has to make stale.

Written by hand from the definitions, not taken from the rules: tests hold the rules to it. Every
set is named after what changed first, and holds all that follows.
"""

import re

from pipeline_lib.findings.tables import COLUMNS

SCORECARD = {"table_scorecard"}
PROMPT_KNOCKOUTS = {
    "knock_out_prompts",
    "fig08_prompt_knockout",
    "fig08_prompt_knockout_models",
    "fig_knockout_controls",
} | SCORECARD
HEURISTIC_KNOCKOUTS = {
    "knock_out_heuristics",
    "fig07_heuristic_knockout",
    "fig_knockout_controls",
} | SCORECARD
KNOCKOUTS = HEURISTIC_KNOCKOUTS | PROMPT_KNOCKOUTS
MATCH_FIGURES = {  # and what they are drawn from
    "fig01_running_example",
    "fig05_heuristic_types",
    "fig06_matching_example",
    "heuristic_counts",
    "failure_modes",
    "fig09_failure_modes",
    "table08_unclassified_neurons",
    "table04_neurons_add",
    "table05_neurons_sub",
    "table06_neurons_mul",
    "table07_neurons_div",
}
CHECKPOINT_FIGURES = {"fig10b_shared_faithfulness", "fig10c_checkpoint_knockout"}
CHECKPOINTS = {"ablate_checkpoint"} | CHECKPOINT_FIGURES
GALLERY = {"browse_neurons", "browse_snapshots"}
# what follows from the matches of a rule, under that rule
MATCHED = MATCH_FIGURES | KNOCKOUTS | CHECKPOINTS | {"fig10a_heuristic_overlap"}
CALIBRATION_FIGURES = {"fig_calibration", "fig_classified_share"}
# the configured rule is the threshold: the gallery shows its matches
THRESHOLD = {"match_heuristics", "match_checkpoints"} | MATCHED | GALLERY | CALIBRATION_FIGURES
FDR = {"classify_neurons", "classify_checkpoints"} | MATCHED | CALIBRATION_FIGURES
CALIBRATION = {"calibrate_heuristics"} | FDR
NULLS = {"null_evidence"} | CALIBRATION
RULE_FIGURES = MATCHED - {
    "knock_out_heuristics", "knock_out_prompts", "failure_modes", "ablate_checkpoint",
}  # fmt: skip
OVER_TRAINING = {
    "match_checkpoints",
    "classify_checkpoints",
    "fig10a_heuristic_overlap",
} | CHECKPOINTS
SCORING = {"score_heuristics", "score_checkpoint"} | THRESHOLD | NULLS
EXPLAINED = {"explain_maps", "fig_rivals", "neuron_rivals", "fig_neuron_spectra"}
CODES = {"number_codes", "fig_spectra", "fig_helix"}
VECTORS = {"mlp_vectors", "embeddings", "neuron_vectors"}
NUMBERS = {"number_maps", "fig13_mlp0_neurons", "browse_ov", "browse_snapshots"}
HEADS = {"attention", "fig14_attention_patterns", "browse_attention", "browse_snapshots"}
EXACT = {"exact_neurons", "fig_attribution_truth"}
STABILITY = {"fig_stability"}
CIRCUIT_TEST = {"circuit_test", "fig_circuit_test", "table01_faithfulness"}
RANKING = (
    {"rank_neurons", "neuron_maps", "fig15_neuron_iou"} | VECTORS | SCORING | STABILITY | EXPLAINED
)
PROBING = {"probe_answers", "fig03_probe_accuracy"}
VERIFICATION = {"verify_engine", "table00_verification"}
CIRCUITS = (
    {
        "faithfulness",
        "fig04b_faithfulness_topk",
        "fig11_faithfulness_heads",
        "fig12b_mlp0_topk",
        "table01_faithfulness",
        "table02_circuit_heads",
        "fig14_attention_patterns",
    }
    | SCORECARD
    | CHECKPOINTS
    | CIRCUIT_TEST
    | STABILITY
)
LOCALIZATION = {"fig02_localization", "fig02_localization_summed"}
EFFECTS_PAGE = {"browse_effects", "browse_snapshots"}
PATCHING = {"indirect_effects"} | LOCALIZATION | CIRCUITS | EFFECTS_PAGE

ATTRIBUTED = (
    {"attribution_patching", "fig04a_neuron_effects", "fig12a_mlp0_effects", "fig13_mlp0_neurons"}
    | RANKING
    | CIRCUITS
    | EXACT
)
CACHES = {"cache_clean", "cache_counterfactual", "cache_residuals"} | PROBING
STORED = CACHES | PATCHING | ATTRIBUTED
MEANS = {"mean_activations"} | KNOCKOUTS | CIRCUITS
# all but what says which model it is
EVERYTHING = (
    {"prompt_context", "label_prompts", "split_prompts", "draw_counterfactuals", "table03_accuracy"}
    | STORED
    | VERIFICATION
    | CODES
    | HEADS
    | NUMBERS
    | MEANS
)
# what is drawn of all valid prompts, or of none
OF_ALL_PROMPTS = {
    "prompt_context", "label_prompts", "table03_accuracy", "cache_residuals", "mean_activations",
    "number_maps", "browse_ov",
} | PROBING  # fmt: skip
SPLIT = EVERYTHING - OF_ALL_PROMPTS
PAIRED = SPLIT - {"split_prompts", "cache_clean", "attention", "browse_attention"}
FIGURES = {
    name
    for name in EVERYTHING
    if name.startswith(("fig", "table"))
    or name in ("heuristic_counts", "embeddings", "neuron_vectors", "neuron_rivals")
}
EXAMPLES = {name for name in MATCH_FIGURES if re.match("table0[4-8]", name)}
FINDINGS = {"write_findings"}


def with_findings(stale: set[str]) -> set[str]:
    """Also the page of findings, where a table that it reads is stale."""
    return stale | FINDINGS if stale & set(COLUMNS) else stale
