"""Figures that hold estimates and circuits against what could have come by chance.

inputs: exact effects of single neurons; effects, circuits and random sets of heads; attribution
outputs: figs/arithmetic/{model}/fig_attribution_truth, fig_circuit_test, fig_stability as PDF, PNG, CSV
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
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_attribution_truth",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_attribution_truth"),
    message:
        "Drawing fig_attribution_truth of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_circuit_test:
    """Circuits against random sets of as many heads."""
    input:
        tests=get_per_operator("circuit_tests/{operator}.csv"),
    output:
        **get_figure_outputs("fig_circuit_test", "Circuits against chance"),
    log:
        "logs/figures/{model}/fig_circuit_test.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_circuit_test",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_circuit_test"),
    message:
        "Drawing fig_circuit_test of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_stability:
    """Stability of circuits: heads and neurons that resampled prompts would give."""
    input:
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
        circuits=get_per_operator("circuits/{operator}.csv"),
        attribution=get_per_operator("attribution/{operator}.h5"),
        exact=get_exact_of_operators,
        probes=get_probes_for_auto,
    output:
        **get_figure_outputs("fig_stability", "Stability of circuits"),
    log:
        "logs/figures/{model}/fig_stability.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_stability",
        operators=STUDY.operators,
        settings=get_neuron_figure_settings("importance", "per_layer"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_stability"),
    message:
        "Drawing fig_stability of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
