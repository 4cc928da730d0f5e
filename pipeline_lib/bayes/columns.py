"""Columns of the study's tables, for the stages that write and the figures that read them.

Apart from the stages, whose modules load torch.
"""

RULES = ("bayes", "beta_bernoulli", "frequentist", "no_evidence")
ANSWER_COLUMNS = ["template", "n_x", "permutation", "draws", "p_x", "mass", "top", *RULES]
SCORE_COLUMNS = [
    "template", "rule", "prompts", "mae", "mae_low", "mae_high", "bias", "correlation",
    "correlation_low", "correlation_high", "slope", "no_evidence_mae", "gain", "gain_low",
    "gain_high",
]  # fmt: skip
LENS_COLUMNS = ["template", "n_x", "permutation", "layer", "p_x", "bayes", "error"]
LAYER_COLUMNS = [
    "template", "layer", "prompts", "mae", "low", "high", "correlation", "correlation_low",
    "correlation_high", "no_evidence_mae", "best",
]  # fmt: skip

MEASURES = ("train", "other_template", "unseen_n_x", "unseen_both")
PROBE_COLUMNS = ["layer", "labels", "measure", "r2", "low", "high", "n", "best"]
PREDICTION_COLUMNS = ["layer", "measure", "template", "n_x", "belief", "predicted"]

PROMPTS_OF_A_PAIR = ("clean", "corrupt", "other")
PAIR_COLUMNS = [
    "pair", *PROMPTS_OF_A_PAIR, "clean_log_odds", "corrupt_log_odds", "gap", "floor",
    "noise_floor", "status",
]  # fmt: skip
COST_COLUMNS = ["sweep", "pairs", "patches", "token_layers", "loop_token_layers", "times_less"]
SWEPT, NEAR_ZERO, AGAINST = "swept", "near_zero", "against"

PROBE = "probe"
EDIT_COLUMNS = [
    "prompt", "n_x", "direction", "asked_belief", "asked", "step", "read", "before", "after",
    "change",
]  # fmt: skip
SLOPE_COLUMNS = ["direction", "slope", "low", "high", "p", "prompts", "layer"]
