"""Every figure, table and page of the arithmetic study: names of files, without their ending."""

from collections.abc import Sequence

FIGURES = (
    "fig_calibration",
    "fig_classified_share",
    "table00_verification",
    "fig01_running_example",
    "fig02_localization",
    "fig02_localization_summed",
    "fig03_probe_accuracy",
    "fig04a_neuron_effects",
    "fig04b_faithfulness_topk",
    "fig05_heuristic_types",
    "fig06_matching_example",
    "fig07_heuristic_knockout",
    "fig08_prompt_knockout",
    "fig09_failure_modes",
    "fig11_faithfulness_heads",
    "fig12a_mlp0_effects",
    "fig12b_mlp0_topk",
    "fig13_mlp0_neurons",
    "fig14_attention_patterns",
    "fig15_neuron_iou",
    "fig_attribution_truth",
    "fig_circuit_test",
    "fig_stability",
    "fig_knockout_controls",
    "embeddings",
    "heuristic_counts",
    "fig_rivals",
    "fig_neuron_spectra",
    "fig_spectra",
    "fig_helix",
    "table01_faithfulness",
    "table02_circuit_heads",
    "table03_accuracy",
    "table08_unclassified_neurons",
    "table_scorecard",
)
"""One of each model."""

CHECKPOINT_FIGURES = (
    "fig10a_heuristic_overlap",
    "fig10b_shared_faithfulness",
    "fig10c_checkpoint_knockout",
)
"""One of each model whose training checkpoints are studied."""

STUDY_FIGURES = ("fig08_prompt_knockout_models",)
"""One for all models together, in the folder all_models."""

RULES = ("threshold", "fdr")
"""Rules by which neurons match heuristics."""

VARIANTS = ("", *(f"/{rule}" for rule in RULES))
"""What a figure's folder may end in: nothing under the configured rule, else the rule."""

BY_RULE = frozenset(
    {
        "fig01_running_example",
        "fig05_heuristic_types",
        "fig06_matching_example",
        "fig07_heuristic_knockout",
        "fig08_prompt_knockout",
        "fig08_prompt_knockout_models",
        "fig09_failure_modes",
        "fig_knockout_controls",
        "heuristic_counts",
        "table08_unclassified_neurons",
        "table_scorecard",
        *CHECKPOINT_FIGURES,
    }
)
"""Those that depend on which neurons match heuristics, and so exist under both rules."""

PLANTED_FIGURES = ("planted_recovery",)
"""Of networks built by hand, in the folder planted; on request only (`snakemake planted`)."""

FIRST_FURTHER = 16
"""Number of the second model's own figure, as in the paper; the third model's is one more."""

PAGES = ("effects", "attention", "ov", "neurons")
"""Pages to browse of each model, in the order of their links; beside them lies their index."""

DOCUMENTS = ("findings",)
"""Pages in Markdown of each model, beside its figures."""

OPERATOR_TABLES = {
    "add": "table04_neurons_add",
    "sub": "table05_neurons_sub",
    "mul": "table06_neurons_mul",
    "div": "table07_neurons_div",
}


def depends_on_rule(name: str) -> bool:
    """Whether a figure or table exists under both rules of matching."""
    return name in BY_RULE or name in OPERATOR_TABLES.values() or "_model_" in name


def figures_of_operator(operator: str) -> list[str]:
    """Tables of one operator of a model: example neurons, their vectors, what explains them."""
    return [OPERATOR_TABLES[operator], f"vectors_{operator}", f"rivals_{operator}"]


def figures_of(
    model: str, models: Sequence[str], operators: Sequence[str], *, over_training: bool = False
) -> list[str]:
    """Figures and tables of a model, in the study of ``models`` and ``operators``."""
    own = [name for operator in operators for name in figures_of_operator(operator)]
    further = list(models).index(model)
    last = [f"fig{FIRST_FURTHER + further - 1}_model_{model}"] if further else []
    return [*FIGURES, *(CHECKPOINT_FIGURES if over_training else ()), *own, *last]
