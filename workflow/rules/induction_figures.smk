"""Figures of the study of induction drift.

inputs: the tables and patterns of induction.smk
outputs: figs/induction/{model}/*.pdf, .png, .csv
steps: draw each figure
"""


rule induction_baseline:
    """Recall of repeated tokens, P(X) after every order, drift and error to a counter."""
    input:
        recall="<induction>/{model}/recall.csv",
        orders="<induction>/{model}/orders.csv",
        drift="<induction>/{model}/drift.csv",
    output:
        **get_study_figure("induction", "baseline", "What the model does"),
    log:
        "logs/figures/induction/{model}/baseline.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.baseline",
        settings=get_study_settings("induction", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.baseline"),
    message:
        "Drawing baseline of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule induction_attention:
    """Attention patterns of every head."""
    input:
        patterns="<induction>/{model}/patterns.h5",
        scores="<induction>/{model}/scores.csv",
    output:
        **get_study_figure("induction", "attention", "Attention of every head"),
    log:
        "logs/figures/induction/{model}/attention.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.attention",
        settings=get_study_settings("induction", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.attention"),
    message:
        "Drawing attention of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule induction_scores:
    """Induction score of every head, with intervals."""
    input:
        scores="<induction>/{model}/scores.csv",
    output:
        **get_study_figure("induction", "scores", "Induction scores"),
    log:
        "logs/figures/induction/{model}/scores.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.scores",
        settings=get_study_settings("induction", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.scores"),
    message:
        "Drawing scores of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule induction_ablation:
    """Drift and error without each head."""
    input:
        ablation="<induction>/{model}/ablation.csv",
    output:
        **get_study_figure("induction", "ablation", "Ablation of each head"),
    log:
        "logs/figures/induction/{model}/ablation.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.ablation",
        settings=get_study_settings("induction", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.ablation"),
    message:
        "Drawing ablation of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule induction_joint:
    """Drift and error without the top k heads and without k random ones."""
    input:
        joint="<induction>/{model}/joint.csv",
    output:
        **get_study_figure("induction", "joint", "Joint ablation"),
    log:
        "logs/figures/induction/{model}/joint.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.joint",
        settings=get_study_settings("induction", "symbols", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.joint"),
    message:
        "Drawing joint of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule induction_agreement:
    """Rank correlation of drift taken away and induction score."""
    input:
        ablation="<induction>/{model}/ablation.csv",
        scores="<induction>/{model}/scores.csv",
        agreement="<induction>/{model}/agreement.csv",
    output:
        **get_study_figure(
            "induction", "agreement", "Drift taken away and induction score"
        ),
    log:
        "logs/figures/induction/{model}/agreement.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.agreement",
        settings=get_study_settings("induction", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.agreement"),
    message:
        "Drawing agreement of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule induction_published:
    """Published values of the model beside what was found."""
    input:
        published="<induction>/{model}/published.csv",
    output:
        **get_study_figure("induction", "published", "Published values"),
    log:
        "logs/figures/induction/{model}/published.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="induction.published",
        settings=get_study_settings("induction", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.induction.published"),
    message:
        "Drawing published of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"
