"""Figures of the study bayes: what heads carry and what steering does.

inputs: tables of data/bayes/{model}/
outputs: figs/bayes/{model}/ top_heads, heads, head_positions and steering as PDF, PNG and CSV;
         findings.md, the page that says what all figures show
steps: read the tables, draw
"""


rule bayes_top_heads_figure:
    """The heads that recover most, beside their control; pairs left out; costs."""
    input:
        heads="<bayes>/{model}/heads.csv",
        control="<bayes>/{model}/heads_control.csv",
        pairs="<bayes>/{model}/pairs.csv",
        costs="<bayes>/{model}/costs.csv",
    output:
        **get_study_figure("bayes", "top_heads", "Bayes · top heads"),
    log:
        "logs/figures/{model}/bayes_top_heads.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.top_heads",
        settings=get_study_settings("bayes", "heads.top", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.top_heads"),
    message:
        "Drawing top_heads of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_heads_figure:
    """Recovery by layer and head, beside the control."""
    input:
        heads="<bayes>/{model}/heads.csv",
        control="<bayes>/{model}/heads_control.csv",
        pairs="<bayes>/{model}/pairs.csv",
    output:
        **get_study_figure("bayes", "heads", "Bayes · heads"),
    log:
        "logs/figures/{model}/bayes_heads.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.heads",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.heads"),
    message:
        "Drawing heads of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_head_positions_figure:
    """The strongest heads patched at one position at a time."""
    input:
        heads="<bayes>/{model}/heads.csv",
        control="<bayes>/{model}/heads_control.csv",
        positions="<bayes>/{model}/heads_positions.csv",
    output:
        **get_study_figure("bayes", "head_positions", "Bayes · heads by position"),
    log:
        "logs/figures/{model}/bayes_head_positions.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.head_positions",
        settings=get_study_settings("bayes", "heads.top", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.head_positions"),
    message:
        "Drawing head_positions of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_steering_figure:
    """Change of P(X) against the change asked for, beside random directions."""
    input:
        edits="<bayes>/{model}/edits.csv",
        slopes="<bayes>/{model}/slopes.csv",
    output:
        **get_study_figure("bayes", "steering", "Bayes · steering"),
    log:
        "logs/figures/{model}/bayes_steering.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.steering",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.steering"),
    message:
        "Drawing steering of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule write_bayes_findings:
    """What the run found: numbers from its tables, sentences that they choose."""
    input:
        scores="<bayes>/{model}/scores.csv",
        answers="<bayes>/{model}/answers.csv",
        layers="<bayes>/{model}/lens_layers.csv",
        probe="<bayes>/{model}/probe_scores.csv",
        pairs="<bayes>/{model}/pairs.csv",
        heads="<bayes>/{model}/heads.csv",
        control="<bayes>/{model}/heads_control.csv",
        costs="<bayes>/{model}/costs.csv",
        slopes="<bayes>/{model}/slopes.csv",
    output:
        page="<figures>/bayes/{model}/findings.md",
    log:
        "logs/findings/{model}/bayes.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        code=get_code("write_bayes_findings"),
    message:
        "Writing the findings of {wildcards.model} in the study bayes"
    script:
        "../scripts/write_bayes_findings.py"
