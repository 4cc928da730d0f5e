"""Tables: circuit heads, accuracy, example neurons.

inputs: effects, prompts, maps, matches
outputs: figs/arithmetic/{model}/table02..table07 as PDF, PNG and CSV
steps: read the artifacts, compute the plotted numbers, draw
"""


rule table02_circuit_heads:
    """Table 2: the attention heads of each operator's circuit."""
    input:
        effects=get_per_seed("effects/{operator}_seed{seed}.h5"),
        circuits=get_per_operator("circuits/{operator}.csv"),
    output:
        **get_figure_outputs("table02_circuit_heads", "Table 02 · circuit heads"),
    log:
        "logs/figures/{model}/table02_circuit_heads.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="table02_circuit_heads",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.table02_circuit_heads"),
    message:
        "Drawing table02_circuit_heads of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table03_accuracy:
    """Table 3: accuracy on all valid prompts, per operator."""
    input:
        labelled=get_per_operator("prompts/{operator}/labelled.csv"),
        reported=get_reported_accuracy,
    output:
        **get_figure_outputs("table03_accuracy", "Table 03 · accuracy"),
    log:
        "logs/figures/{model}/table03_accuracy.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="table03_accuracy",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        reported=get_checksums(get_reported_accuracy),
        code=get_code("draw_figure", "pipeline_lib.figures.table03_accuracy"),
    message:
        "Drawing table03_accuracy of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table04_neurons_add:
    """Table 4: top neurons of addition with their value tokens and heuristics."""
    input:
        maps="<arithmetic>/{model}/maps/add.h5",
        neurons="<arithmetic>/{model}/neurons/add.csv",
        matches=get_by_rule("heuristics/{criterion}/add_matches.csv"),
    output:
        **get_figure_outputs(
            "table04_neurons_add", "Table 04 · example neurons, addition", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/table04_neurons_add.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="example_neurons",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "figures.example_neurons"),
        code=get_code("draw_figure", "pipeline_lib.figures.example_neurons"),
    message:
        "Drawing table04_neurons_add of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table05_neurons_sub:
    """Table 5: top neurons of subtraction with their value tokens and heuristics."""
    input:
        maps="<arithmetic>/{model}/maps/sub.h5",
        neurons="<arithmetic>/{model}/neurons/sub.csv",
        matches=get_by_rule("heuristics/{criterion}/sub_matches.csv"),
    output:
        **get_figure_outputs(
            "table05_neurons_sub",
            "Table 05 · example neurons, subtraction",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/table05_neurons_sub.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="example_neurons",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "figures.example_neurons"),
        code=get_code("draw_figure", "pipeline_lib.figures.example_neurons"),
    message:
        "Drawing table05_neurons_sub of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table06_neurons_mul:
    """Table 6: top neurons of multiplication with their value tokens and heuristics."""
    input:
        maps="<arithmetic>/{model}/maps/mul.h5",
        neurons="<arithmetic>/{model}/neurons/mul.csv",
        matches=get_by_rule("heuristics/{criterion}/mul_matches.csv"),
    output:
        **get_figure_outputs(
            "table06_neurons_mul",
            "Table 06 · example neurons, multiplication",
            by_rule=True,
        ),
    log:
        "logs/figures/{model}{variant}/table06_neurons_mul.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="example_neurons",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "figures.example_neurons"),
        code=get_code("draw_figure", "pipeline_lib.figures.example_neurons"),
    message:
        "Drawing table06_neurons_mul of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"


rule table07_neurons_div:
    """Table 7: top neurons of division with their value tokens and heuristics."""
    input:
        maps="<arithmetic>/{model}/maps/div.h5",
        neurons="<arithmetic>/{model}/neurons/div.csv",
        matches=get_by_rule("heuristics/{criterion}/div_matches.csv"),
    output:
        **get_figure_outputs(
            "table07_neurons_div", "Table 07 · example neurons, division", by_rule=True
        ),
    log:
        "logs/figures/{model}{variant}/table07_neurons_div.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="example_neurons",
        operators=STUDY.operators,
        settings=get_rule_settings("heuristics.kind", "figures.example_neurons"),
        code=get_code("draw_figure", "pipeline_lib.figures.example_neurons"),
    message:
        "Drawing table07_neurons_div of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
