"""Figures of knockouts: what breaks without the neurons.

inputs: knockout tables
outputs: figs/arithmetic/{model}/fig07, fig08, fig_knockout_controls as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig07_heuristic_knockout:
    """Figure 7: accuracy without one heuristic, on its prompts and on others."""
    input:
        knockouts=get_per_operator("knockouts/{criterion}/{operator}_by_heuristic.csv"),
    output:
        **get_figure_outputs(
            "fig07_heuristic_knockout",
            "Figure 07 · knockout by heuristic",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/fig07_heuristic_knockout.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig07_heuristic_knockout",
        operators=STUDY.operators,
        settings=get_rule_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig07_heuristic_knockout"),
    message:
        "Drawing fig07_heuristic_knockout of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig08_prompt_knockout:
    """Figure 8: accuracy against the number of neurons silenced per layer."""
    input:
        knockouts=get_per_operator("knockouts/{criterion}/{operator}_by_prompt.csv"),
    output:
        **get_figure_outputs(
            "fig08_prompt_knockout", "Figure 08 · knockout by prompt", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/fig08_prompt_knockout.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig08_prompt_knockout",
        operators=STUDY.operators,
        settings=get_rule_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig08_prompt_knockout"),
    message:
        "Drawing fig08_prompt_knockout of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_knockout_controls:
    """Accuracy lost without heuristics' neurons and random ones like them, by kind of ablation."""
    input:
        by_heuristic=get_per_operator(
            "knockouts/{criterion}/{operator}_by_heuristic.csv"
        ),
        by_prompt=get_per_operator("knockouts/{criterion}/{operator}_by_prompt.csv"),
    output:
        **get_figure_outputs(
            "fig_knockout_controls", "Knockouts against random sets", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/fig_knockout_controls.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_knockout_controls",
        operators=STUDY.operators,
        settings=get_rule_settings("knockouts.by_heuristic.draws"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_knockout_controls"),
    message:
        "Drawing fig_knockout_controls of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
