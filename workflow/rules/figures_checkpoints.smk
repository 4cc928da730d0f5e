"""Figures over training: what checkpoints have of the final model's heuristics.

inputs: matches, labels, faithfulness and knockouts of every checkpoint
outputs: figs/arithmetic/{model}/fig10a, fig10b, fig10c as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig10a_heuristic_overlap:
    """Figure 10a: how many of the final (neuron, heuristic) pairs checkpoints have."""
    input:
        manifest="<models>/{model}/manifest.json",
        matches=get_by_rule("checkpoints/{criterion}_matches.csv"),
        final=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
        labelled=get_labels_over_training,
    output:
        **get_figure_outputs(
            "fig10a_heuristic_overlap",
            "Figure 10a · heuristics over training",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/fig10a_heuristic_overlap.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig10a_heuristic_overlap",
        operators=STUDY.operators,
        settings=get_settings_over_training("heuristics.kind"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig10a_heuristic_overlap"),
    message:
        "Drawing fig10a_heuristic_overlap of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig10b_shared_faithfulness:
    """Figure 10b: faithfulness of checkpoints with what they share with the final model."""
    input:
        faithfulness=get_per_checkpoint("{criterion}_faithfulness.csv", final=True),
    output:
        **get_figure_outputs(
            "fig10b_shared_faithfulness",
            "Figure 10b · faithfulness over training",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/fig10b_shared_faithfulness.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig10b_shared_faithfulness",
        operators=STUDY.operators,
        settings=get_settings_over_training("checkpoints.min_prompts"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig10b_shared_faithfulness"),
    message:
        "Drawing fig10b_shared_faithfulness of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig10c_checkpoint_knockout:
    """Figure 10c: accuracy of checkpoints without the neurons a prompt uses."""
    input:
        knockouts=get_per_checkpoint("{criterion}_knockouts.csv", final=True),
    output:
        **get_figure_outputs(
            "fig10c_checkpoint_knockout",
            "Figure 10c · knockout over training",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/fig10c_checkpoint_knockout.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig10c_checkpoint_knockout",
        operators=STUDY.operators,
        settings=get_settings_over_training("checkpoints.min_prompts"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig10c_checkpoint_knockout"),
    message:
        "Drawing fig10c_checkpoint_knockout of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
