"""Figures of heads, of single numbers and of failures.

inputs: attention, number and failure artifacts, circuits, maps and matches
outputs: figs/arithmetic/{model}/fig09, fig13, fig14, embeddings, table08 and vectors_{operator}
         as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule fig09_failure_modes:
    """Figure 9: what the associated neurons add on right and on wrong answers."""
    input:
        failures=get_per_operator("failures/{criterion}/{operator}.csv"),
    output:
        **get_figure_outputs(
            "fig09_failure_modes", "Figure 09 · failure modes", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/fig09_failure_modes.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig09_failure_modes",
        operators=STUDY.operators,
        settings=get_rule_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig09_failure_modes"),
    message:
        "Drawing fig09_failure_modes of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig13_mlp0_neurons:
    """Figure 13: neurons of the first MLP against the number they read."""
    input:
        mlp0="<arithmetic>/{model}/numbers/mlp0.h5",
        attribution=get_per_operator("attribution/{operator}.h5"),
    output:
        **get_figure_outputs("fig13_mlp0_neurons", "Figure 13 · first MLP on numbers"),
    log:
        "logs/figures/{model}/fig13_mlp0_neurons.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig13_mlp0_neurons",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig13_mlp0_neurons"),
    message:
        "Drawing fig13_mlp0_neurons of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule fig14_attention_patterns:
    """Figure 14: mean attention patterns of the heads in most circuits."""
    input:
        patterns="<arithmetic>/{model}/attention/patterns.h5",
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
        circuits=get_per_operator("circuits/{operator}.csv"),
    output:
        **get_figure_outputs(
            "fig14_attention_patterns", "Figure 14 · attention patterns"
        ),
    log:
        "logs/figures/{model}/fig14_attention_patterns.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="fig14_attention_patterns",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.fig14_attention_patterns"),
    message:
        "Drawing fig14_attention_patterns of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule embeddings:
    """Outputs of the last MLP as points of a plane, coloured by the answer."""
    input:
        outputs="<arithmetic>/{model}/numbers/outputs.h5",
    output:
        **get_figure_outputs("embeddings", "Embeddings of the last MLP"),
    log:
        "logs/figures/{model}/embeddings.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="embeddings",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.embeddings"),
    message:
        "Drawing embeddings of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table08_unclassified_neurons:
    """Table 8: the most important neurons that match no heuristic."""
    input:
        maps=get_per_operator("maps/{operator}.h5"),
        neurons=get_per_operator("neurons/{operator}.csv"),
        matches=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
    output:
        **get_figure_outputs(
            "table08_unclassified_neurons",
            "Table 08 · unclassified neurons",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/table08_unclassified_neurons.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="table08_unclassified_neurons",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "figures.example_neurons"),
        code=get_code(
            "draw_figure", "pipeline_lib.figures.table08_unclassified_neurons"
        ),
    message:
        "Drawing table08_unclassified_neurons of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule neuron_vectors:
    """Numbers in the key and value vectors of the most important neurons of an operator."""
    input:
        maps="<arithmetic>/{model}/maps/{operator}.h5",
        neurons="<arithmetic>/{model}/neurons/{operator}.csv",
        key_vectors="<arithmetic>/{model}/numbers/{operator}_keys.h5",
    output:
        **get_figure_outputs(
            "vectors_{operator}",
            "Key and value vectors, {operator}",
            caption="vectors",
        ),
    log:
        "logs/figures/{model}/vectors_{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="neuron_vectors",
        operators=STUDY.operators,
        settings=get_figure_settings("figures.example_neurons"),
        code=get_code("draw_figure", "pipeline_lib.figures.neuron_vectors"),
    message:
        "Drawing the key and value vectors of {wildcards.operator} of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
