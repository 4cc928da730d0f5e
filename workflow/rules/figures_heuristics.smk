"""Figures of heuristics: what the neurons respond to.

inputs: maps, matches
outputs: figs/arithmetic/{model}/fig01, fig05, fig06, heuristic_counts as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig01_running_example:
    """Figure 1: three neurons of different heuristics that answer one prompt."""
    input:
        evaluation=get_per_operator("prompts/{operator}/evaluation.csv"),
        maps=get_per_operator("maps/{operator}.h5"),
        neurons=get_per_operator("neurons/{operator}.csv"),
        matches=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
    output:
        **get_figure_outputs(
            "fig01_running_example", "Figure 01 · running example", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/fig01_running_example.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig01_running_example",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "figures.example_prompt"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig01_running_example"),
    message:
        "Drawing fig01_running_example of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig05_heuristic_types:
    """Figure 5: for every heuristic type, the neuron that matches it best."""
    input:
        maps=get_per_operator("maps/{operator}.h5"),
        matches=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
    output:
        **get_figure_outputs(
            "fig05_heuristic_types", "Figure 05 · heuristic types", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/fig05_heuristic_types.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig05_heuristic_types",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig05_heuristic_types"),
    message:
        "Drawing fig05_heuristic_types of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig06_matching_example:
    """Figure 6: how one neuron is matched to a heuristic, step by step."""
    input:
        maps=get_per_operator("maps/{operator}.h5"),
        matches=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
    output:
        **get_figure_outputs(
            "fig06_matching_example",
            "Figure 06 · matching, step by step",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/fig06_matching_example.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig06_matching_example",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "heuristics.threshold"),
        code=get_code("draw_figure", "pipeline_lib.figures.fig06_matching_example"),
    message:
        "Drawing fig06_matching_example of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule heuristic_counts:
    """Neurons of every heuristic type in every layer."""
    input:
        neurons=get_per_operator("neurons/{operator}.csv"),
        matches=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
    output:
        **get_figure_outputs("heuristic_counts", "Heuristic counts", by_rule=True),
    log:
        "logs/figures/{model}{variant}/heuristic_counts.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="heuristic_counts",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind"),
        code=get_code("draw_figure", "pipeline_lib.figures.heuristic_counts"),
    message:
        "Drawing heuristic_counts of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
