"""Figures of the rivals: heuristics, Fourier modes, helices.

inputs: what explains the maps, top neurons, spectra, fits and patches of numbers
outputs: figs/arithmetic/{model}/fig_rivals, rivals_{operator}, fig_neuron_spectra, fig_spectra and
         fig_helix as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig_rivals:
    """Variance of the maps that heuristics and Fourier modes explain."""
    input:
        explained=get_per_operator("rivals/{operator}_explained.csv"),
    output:
        **get_figure_outputs("fig_rivals", "Rivals · heuristics and Fourier modes"),
    log:
        "logs/figures/{model}/fig_rivals.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_rivals",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_rivals"),
    message:
        "Drawing fig_rivals of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule neuron_rivals:
    """What heuristics and Fourier modes explain of the neurons of an operator, one by one."""
    input:
        explained="<arithmetic>/{model}/rivals/{operator}_explained.csv",
        chosen="<arithmetic>/{model}/rivals/{operator}_chosen.csv",
        neurons="<arithmetic>/{model}/neurons/{operator}.csv",
    output:
        **get_figure_outputs(
            "rivals_{operator}",
            "Heuristics and Fourier modes, {operator}",
            caption="rivals",
        ),
    log:
        "logs/figures/{model}/rivals_{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="neuron_rivals",
        operators=get_own_operator,
        settings=get_figure_settings("figures.example_neurons"),
        code=get_code("draw_figure", "pipeline_lib.figures.neuron_rivals"),
    message:
        "Drawing what explains the {wildcards.operator} neurons of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_neuron_spectra:
    """Spectra of the neurons' maps, and the strongest mode of each."""
    input:
        spectra=get_per_operator("rivals/{operator}_spectra.h5"),
    output:
        **get_figure_outputs("fig_neuron_spectra", "Rivals · spectra of neurons"),
    log:
        "logs/figures/{model}/fig_neuron_spectra.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_neuron_spectra",
        operators=STUDY.operators,
        settings=get_figure_settings("rivals.periods"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_neuron_spectra"),
    message:
        "Drawing fig_neuron_spectra of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_spectra:
    """Spectra of the residuals of numbers, layer by layer."""
    input:
        spectra="<arithmetic>/{model}/rivals/number_spectra.csv",
    output:
        **get_figure_outputs("fig_spectra", "Rivals · spectra of numbers"),
    log:
        "logs/figures/{model}/fig_spectra.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_spectra",
        operators=STUDY.operators,
        settings=get_figure_settings("rivals.periods"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_spectra"),
    message:
        "Drawing fig_spectra of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig_helix:
    """Helix fits of the residuals of numbers, and patches of their subspaces."""
    input:
        fits="<arithmetic>/{model}/rivals/number_fits.csv",
        patches="<arithmetic>/{model}/rivals/number_patches.csv",
    output:
        **get_figure_outputs("fig_helix", "Rivals · helices of numbers"),
    log:
        "logs/figures/{model}/fig_helix.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig_helix",
        operators=STUDY.operators,
        settings=get_figure_settings("rivals.periods"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig_helix"),
    message:
        "Drawing fig_helix of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
