"""Prompts: every valid prompt, which the model answers right, the sets, the counterfactuals.

inputs: the model and its tokenizer
outputs: data/arithmetic/{model}/prompts/: context.json and, per operator, labelled.csv,
         discovery.csv, evaluation.csv, counterfactual_seed{seed}.csv
steps: measure the tokenizer and draw few-shot examples, label, split, pair
"""


rule prompt_context:
    """Largest single-token number of the tokenizer, and the few-shot examples (definitions 1)."""
    input:
        manifest="<models>/{model}/manifest.json",
    output:
        context="<arithmetic>/{model}/prompts/context.json",
    log:
        "logs/prompt_context/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        operators=STUDY.operators,
        prompts=get_context_settings,
        code=get_code("prompt_context"),
    message:
        "Measuring the tokenizer of {wildcards.model}"
    script:
        "../scripts/prompt_context.py"


rule label_prompts:
    """Every valid prompt with the model's answer: correct, incorrect or not a number (definitions 1)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
    output:
        labelled="<arithmetic>/{model}/prompts/{operator}/labelled.csv",
    log:
        "logs/label_prompts/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/label_prompts/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        min_operand=get_settings("prompts", "min_operand"),
        max_operand=get_settings("prompts", "max_operand"),
        code=get_code("label_prompts"),
    message:
        "Labelling all valid {wildcards.operator} prompts of {wildcards.model}"
    script:
        "../scripts/label_prompts.py"


rule split_prompts:
    """Correct prompts, split into the discovery and the evaluation set (definitions 1)."""
    input:
        labelled="<arithmetic>/{model}/prompts/{operator}/labelled.csv",
    output:
        discovery="<arithmetic>/{model}/prompts/{operator}/discovery.csv",
        evaluation="<arithmetic>/{model}/prompts/{operator}/evaluation.csv",
    log:
        "logs/split_prompts/{model}/{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        discovery=get_settings("prompts", "discovery"),
        discovery_seed=get_settings("prompts", "discovery_seed"),
        code=get_code("split_prompts"),
    message:
        "Splitting the correct {wildcards.operator} prompts of {wildcards.model}"
    script:
        "../scripts/split_prompts.py"


rule draw_counterfactuals:
    """One counterfactual for each discovery prompt, from all operators (definitions 1)."""
    input:
        clean="<arithmetic>/{model}/prompts/{operator}/discovery.csv",
        pool=get_counterfactual_pool,
    output:
        pairs="<arithmetic>/{model}/prompts/{operator}/counterfactual_seed{seed}.csv",
    log:
        "logs/draw_counterfactuals/{model}/{operator}_seed{seed}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        counterfactual=get_settings("prompts", "counterfactual"),
        code=get_code("draw_counterfactuals"),
    message:
        "Drawing {wildcards.operator} counterfactuals of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/draw_counterfactuals.py"
