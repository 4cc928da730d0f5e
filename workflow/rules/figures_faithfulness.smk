"""Figures of faithfulness: how little of the model does its work.

inputs: faithfulness tables, attribution
outputs: figs/arithmetic/{model}/fig04b, fig11, fig12a, fig12b, table01 as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig04b_faithfulness_topk:
    """Figure 4b: faithfulness against the neurons kept in every late layer."""
    input:
        faithfulness=get_per_operator("faithfulness/{operator}.csv"),
    output:
        **get_figure_outputs(
            "fig04b_faithfulness_topk", "Figure 04b · faithfulness, late neurons"
        ),
    log:
        "logs/figures/{model}/fig04b_faithfulness_topk.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig04b_faithfulness_topk",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig04b_faithfulness_topk"),
    message:
        "Drawing fig04b_faithfulness_topk of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig11_faithfulness_heads:
    """Figure 11: faithfulness of all MLPs with more and more heads."""
    input:
        faithfulness=get_per_operator("faithfulness/{operator}.csv"),
    output:
        **get_figure_outputs(
            "fig11_faithfulness_heads", "Figure 11 · faithfulness, heads"
        ),
    log:
        "logs/figures/{model}/fig11_faithfulness_heads.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig11_faithfulness_heads",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig11_faithfulness_heads"),
    message:
        "Drawing fig11_faithfulness_heads of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig12a_mlp0_effects:
    """Figure 12a: effect of every neuron of the first MLP."""
    input:
        attribution=get_per_operator("attribution/{operator}.h5"),
    output:
        **get_figure_outputs(
            "fig12a_mlp0_effects", "Figure 12a · neurons of the first MLP"
        ),
    log:
        "logs/figures/{model}/fig12a_mlp0_effects.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig12a_mlp0_effects",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig12a_mlp0_effects"),
    message:
        "Drawing fig12a_mlp0_effects of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig12b_mlp0_topk:
    """Figure 12b: faithfulness against the neurons kept in the first MLP."""
    input:
        faithfulness=get_per_operator("faithfulness/{operator}.csv"),
    output:
        **get_figure_outputs("fig12b_mlp0_topk", "Figure 12b · faithfulness, first MLP"),
    log:
        "logs/figures/{model}/fig12b_mlp0_topk.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig12b_mlp0_topk",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig12b_mlp0_topk"),
    message:
        "Drawing fig12b_mlp0_topk of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table01_faithfulness:
    """Table 1: faithfulness of each operator's circuit."""
    input:
        faithfulness=get_per_operator("faithfulness/{operator}.csv"),
        tests=get_per_operator("circuit_tests/{operator}.csv"),
    output:
        **get_figure_outputs("table01_faithfulness", "Table 01 · faithfulness"),
    log:
        "logs/figures/{model}/table01_faithfulness.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="table01_faithfulness",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.table01_faithfulness"),
    message:
        "Drawing table01_faithfulness of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
