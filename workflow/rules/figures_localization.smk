"""Figures of localization: where the computation happens.

inputs: effects, probes, attribution, top neurons
outputs: figs/arithmetic/{model}/fig02, fig02 summed, fig03, fig04a, fig15 as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig02_localization:
    """Figure 2: indirect effect of heads and MLPs, mean over seeds and operators."""
    input:
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
    output:
        **get_figure_outputs("fig02_localization", "Figure 02 · localization"),
    log:
        "logs/figures/{model}/fig02_localization.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig02_localization",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig02_localization"),
    message:
        "Drawing fig02_localization of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig02_localization_summed:
    """Figure 2, summed: indirect effect of heads and MLPs over all patched positions."""
    input:
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
    output:
        **get_figure_outputs(
            "fig02_localization_summed", "Figure 02 · localization, summed"
        ),
    log:
        "logs/figures/{model}/fig02_localization_summed.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig02_localization_summed",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig02_localization_summed"),
    message:
        "Drawing fig02_localization_summed of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig03_probe_accuracy:
    """Figure 3: accuracy of linear probes for the answer, mean over operators."""
    input:
        probes=get_per_operator("probes/{operator}.csv"),
    output:
        **get_figure_outputs("fig03_probe_accuracy", "Figure 03 · probes"),
    log:
        "logs/figures/{model}/fig03_probe_accuracy.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig03_probe_accuracy",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig03_probe_accuracy"),
    message:
        "Drawing fig03_probe_accuracy of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig04a_neuron_effects:
    """Figure 4a: effect of each neuron of one late layer."""
    input:
        attribution=get_per_operator("attribution/{operator}.h5"),
        probes=get_probes_for_auto,
    output:
        **get_figure_outputs("fig04a_neuron_effects", "Figure 04a · neuron effects"),
    log:
        "logs/figures/{model}/fig04a_neuron_effects.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig04a_neuron_effects",
        operators=STUDY.operators,
        settings=get_neuron_figure_settings("importance"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig04a_neuron_effects"),
    message:
        "Drawing fig04a_neuron_effects of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig15_neuron_iou:
    """Figure 15: overlap of the top neurons between operators."""
    input:
        neurons=get_per_operator("neurons/{operator}.csv"),
    output:
        **get_figure_outputs("fig15_neuron_iou", "Figure 15 · neuron overlap"),
    log:
        "logs/figures/{model}/fig15_neuron_iou.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig15_neuron_iou",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig15_neuron_iou"),
    message:
        "Drawing fig15_neuron_iou of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
