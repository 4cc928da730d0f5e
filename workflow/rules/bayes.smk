"""Bayes: does a model integrate draws from a generator as Bayes' rule does, where, by which heads.

inputs: the model, the generators and sizes of the config
outputs: data/bayes/{model}/answers.csv, scores.csv, lens.csv, lens_layers.csv, probe.h5 and tables of
         the probe, tables of the heads' sweeps with their costs, edits.csv and slopes.csv
steps: ask every template; read every layer through the logit lens; fit and test probes of the
       posterior; patch heads; steer along the probe (docs/bayes.md, definitions 19)
"""

TASK_KEYS = ("probabilities", "priors", "outcomes", "draws")
PROBE_KEYS = (
    "probe.train",
    "probe.test",
    "probe.train_template",
    "probe.test_template",
    "probe.alpha",
    "probe.layer_stride",
    "probe.controls",
    "seed",
)


rule bayes_answers:
    """Part 1: P(X) of every prompt at every layer beside Bayes' rule, and whether the model can do it."""
    input:
        manifest="<models>/{model}/manifest.json",
    output:
        answers="<bayes>/{model}/answers.csv",
        scores="<bayes>/{model}/scores.csv",
        lens="<bayes>/{model}/lens.csv",
        layers="<bayes>/{model}/lens_layers.csv",
    log:
        "logs/bayes_answers/{model}.log",
    benchmark:
        "logs/benchmarks/bayes_answers/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        task=get_study_settings("bayes", *TASK_KEYS),
        settings=get_study_settings("bayes", "templates", "permutations", "seed"),
        code=get_code("bayes_answers"),
    message:
        "Asking {wildcards.model} for the next draw"
    script:
        "../scripts/bayes_answers.py"


rule bayes_probe:
    """Part 2: linear probes of the posterior at every layer, with splits by evidence and controls."""
    input:
        manifest="<models>/{model}/manifest.json",
    output:
        probe="<bayes>/{model}/probe.h5",
        scores="<bayes>/{model}/probe_scores.csv",
        predictions="<bayes>/{model}/probe_predictions.csv",
    log:
        "logs/bayes_probe/{model}.log",
    benchmark:
        "logs/benchmarks/bayes_probe/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        task=get_study_settings("bayes", *TASK_KEYS),
        settings=get_study_settings("bayes", *PROBE_KEYS),
        code=get_code("bayes_probe"),
    message:
        "Probing {wildcards.model} for the posterior"
    script:
        "../scripts/bayes_probe.py"


rule bayes_heads:
    """Part 3: every head patched from a prompt of many X into one of fewer, with its control."""
    input:
        manifest="<models>/{model}/manifest.json",
    output:
        pairs="<bayes>/{model}/pairs.csv",
        heads="<bayes>/{model}/heads.csv",
        control="<bayes>/{model}/heads_control.csv",
        positions="<bayes>/{model}/heads_positions.csv",
        costs="<bayes>/{model}/costs.csv",
    log:
        "logs/bayes_heads/{model}.log",
    benchmark:
        "logs/benchmarks/bayes_heads/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        task=get_study_settings("bayes", *TASK_KEYS),
        settings=get_study_settings(
            "bayes",
            "heads.clean",
            "heads.corrupt",
            "heads.pairs",
            "heads.position_pairs",
            "heads.min_gap",
            "heads.template",
            "seed",
        ),
        code=get_code("bayes_heads"),
    message:
        "Patching heads of {wildcards.model}"
    script:
        "../scripts/bayes_heads.py"


rule bayes_steering:
    """Part 4: the residual pushed along the probe's direction and along random ones."""
    input:
        manifest="<models>/{model}/manifest.json",
        probe="<bayes>/{model}/probe.h5",
    output:
        edits="<bayes>/{model}/edits.csv",
        slopes="<bayes>/{model}/slopes.csv",
    log:
        "logs/bayes_steering/{model}.log",
    benchmark:
        "logs/benchmarks/bayes_steering/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        task=get_study_settings("bayes", *TASK_KEYS),
        probing=get_study_settings("bayes", *PROBE_KEYS),
        settings=get_study_settings(
            "bayes",
            "steering.prompts",
            "steering.changes",
            "steering.random_directions",
            "seed",
        ),
        code=get_code("bayes_steering"),
    message:
        "Steering {wildcards.model}"
    script:
        "../scripts/bayes_steering.py"
