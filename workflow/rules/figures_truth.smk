"""Figures that hold estimates and circuits against what could have come by chance.

inputs: exact effects of single neurons
outputs: figs/arithmetic/{model}/fig_attribution_truth as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig_attribution_truth:
    """Attribution and integrated gradients against exact patching of single neurons."""
    input:
        exact=get_per_operator("exact/{operator}.h5"),
    output:
        **get_figure_outputs("fig_attribution_truth", "Attribution against the truth"),
    log:
        "logs/figures/{model}/fig_attribution_truth.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        figure="fig_attribution_truth",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_attribution_truth"),
    message:
        "Drawing fig_attribution_truth of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
