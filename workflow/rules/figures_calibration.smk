"""Figures of calibration: do neurons match heuristics better than maps that mean nothing?

inputs: classified neurons, evidence and scores of null maps
outputs: figs/arithmetic/{model}/fig_calibration, fig_classified_share as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig_calibration:
    """Scores and evidence of the neurons and of every null (definitions 17)."""
    input:
        neurons=get_per_operator("heuristics/fdr/{operator}_neurons.csv"),
        nulls=get_per_operator("calibration/{operator}_nulls.csv"),
    output:
        **get_figure_outputs(
            "fig_calibration",
            "Calibration · scores and evidence",
            category=FIRST_SECTION,
        ),
    log:
        "logs/figures/{model}/fig_calibration.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_calibration",
        operators=STUDY.operators,
        settings=get_figure_settings("heuristics.threshold"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_calibration"),
    message:
        "Drawing fig_calibration of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_classified_share:
    """Neurons classified by each rule, and false positives of each null (definitions 17)."""
    input:
        neurons=get_per_operator("heuristics/fdr/{operator}_neurons.csv"),
        nulls=get_per_operator("calibration/{operator}_nulls.csv"),
    output:
        **get_figure_outputs(
            "fig_classified_share",
            "Calibration · neurons classified",
            category=FIRST_SECTION,
        ),
    log:
        "logs/figures/{model}/fig_classified_share.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_classified_share",
        operators=STUDY.operators,
        settings=get_figure_settings("heuristics.threshold", "heuristics.fdr"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_classified_share"),
    message:
        "Drawing fig_classified_share of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
