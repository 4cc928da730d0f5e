"""Every figure, table and page of the arithmetic study: names of files, without their ending."""

FIGURES = (
    "table00_verification",
    "fig01_running_example",
    "fig02_localization",
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
    "embeddings",
    "heuristic_counts",
    "table01_faithfulness",
    "table02_circuit_heads",
    "table03_accuracy",
    "table08_unclassified_neurons",
)
"""One of each model."""

PAGES = ("effects", "attention", "ov", "neurons")
"""Pages to browse of each model, in the order of their links; beside them lies their index."""

OPERATOR_TABLES = {
    "add": "table04_neurons_add",
    "sub": "table05_neurons_sub",
    "mul": "table06_neurons_mul",
    "div": "table07_neurons_div",
}


def figures_of_operator(operator: str) -> list[str]:
    """Tables of one operator of a model: example neurons, their key and value vectors."""
    return [OPERATOR_TABLES[operator], f"vectors_{operator}"]
