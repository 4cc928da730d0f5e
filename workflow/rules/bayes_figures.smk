"""Figures of the study bayes: what the model answers and what its residuals hold.

inputs: tables of data/bayes/{model}/
outputs: figs/bayes/{model}/ scores, answers, lens_layers, lens_errors, probe_layers and probe_predictions
         as PDF, PNG and CSV
steps: read the tables, draw
"""


rule bayes_scores_figure:
    """Whether the model follows Bayes' rule at all: errors, gain over ignoring the draws, correlation."""
    input:
        scores="<bayes>/{model}/scores.csv",
        answers="<bayes>/{model}/answers.csv",
    output:
        **get_study_figure("bayes", "scores", "Bayes · can the model do it"),
    log:
        "logs/figures/{model}/bayes_scores.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.scores",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.scores"),
    message:
        "Drawing scores of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_answers_figure:
    """P(X) against the number of X, beside Bayes' rule and other rules."""
    input:
        answers="<bayes>/{model}/answers.csv",
    output:
        **get_study_figure("bayes", "answers", "Bayes · P(X) by evidence"),
    log:
        "logs/figures/{model}/bayes_answers.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.answers",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.answers"),
    message:
        "Drawing answers of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_lens_layers_figure:
    """Logit lens: error of P(X) and correlation with Bayes' rule by layer."""
    input:
        layers="<bayes>/{model}/lens_layers.csv",
    output:
        **get_study_figure("bayes", "lens_layers", "Bayes · logit lens by layer"),
    log:
        "logs/figures/{model}/bayes_lens_layers.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.lens_layers",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.lens_layers"),
    message:
        "Drawing lens_layers of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_lens_errors_figure:
    """Logit lens: mean error of P(X) by layer and number of X."""
    input:
        lens="<bayes>/{model}/lens.csv",
    output:
        **get_study_figure("bayes", "lens_errors", "Bayes · logit lens errors"),
    log:
        "logs/figures/{model}/bayes_lens_errors.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.lens_errors",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.lens_errors"),
    message:
        "Drawing lens_errors of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_probe_layers_figure:
    """Belief probe: variance explained by layer on seen and unseen evidence, beside controls."""
    input:
        scores="<bayes>/{model}/probe_scores.csv",
    output:
        **get_study_figure("bayes", "probe_layers", "Bayes · belief probe by layer"),
    log:
        "logs/figures/{model}/bayes_probe_layers.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.probe_layers",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code("draw_sister_figure", "pipeline_lib.figures.bayes.probe_layers"),
    message:
        "Drawing probe_layers of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"


rule bayes_probe_predictions_figure:
    """Belief probe at its best layer: predictions against the posterior."""
    input:
        predictions="<bayes>/{model}/probe_predictions.csv",
        scores="<bayes>/{model}/probe_scores.csv",
    output:
        **get_study_figure(
            "bayes", "probe_predictions", "Bayes · belief probe, predictions"
        ),
    log:
        "logs/figures/{model}/bayes_probe_predictions.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="bayes.probe_predictions",
        settings=get_study_settings("bayes", "dpi"),
        code=get_code(
            "draw_sister_figure", "pipeline_lib.figures.bayes.probe_predictions"
        ),
    message:
        "Drawing probe_predictions of {wildcards.model}"
    script:
        "../scripts/draw_sister_figure.py"
