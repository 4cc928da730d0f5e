"""Induction drift: P(X) after every order of two symbols, and the heads behind it.

inputs: the model's manifest; prompts and random sequences are made from the config
outputs: data/induction/{model}/orders.csv and drift.csv (part 1), scores.csv, recall.csv and
         patterns.h5 (part 2), ablation.csv, joint.csv, published.csv and cost.json (parts 3 and 4),
         agreement.csv (part 5)
steps: run every order; score heads on repeated random tokens; ablate each head, then the strongest
       together; compare what ablation takes away with the scores
"""


rule order_drift:
    """P(X) after every order of the symbols: baseline, drift and error to a counter."""
    input:
        manifest="<models>/{model}/manifest.json",
    output:
        orders="<induction>/{model}/orders.csv",
        drift="<induction>/{model}/drift.csv",
    log:
        "logs/order_drift/{model}.log",
    benchmark:
        "logs/benchmarks/order_drift/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        settings=get_study_settings(
            "induction",
            "symbols",
            "other_symbols",
            "counts",
            "max_orders",
            "prepend_bos",
            "seed",
        ),
        code=get_code("order_drift"),
    message:
        "Orders of two symbols in {wildcards.model}"
    script:
        "../scripts/order_drift.py"


rule induction_heads:
    """Attention of every head: patterns, and scores on repeated random tokens."""
    input:
        manifest="<models>/{model}/manifest.json",
    output:
        scores="<induction>/{model}/scores.csv",
        recall="<induction>/{model}/recall.csv",
        patterns="<induction>/{model}/patterns.h5",
    log:
        "logs/induction_heads/{model}.log",
    benchmark:
        "logs/benchmarks/induction_heads/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        settings=get_study_settings(
            "induction",
            "symbols",
            "prepend_bos",
            "sequences",
            "repeated_tokens",
            "seed",
        ),
        code=get_code("induction_heads"),
    message:
        "Induction scores of the heads of {wildcards.model}"
    script:
        "../scripts/induction_heads.py"


rule ablate_orders:
    """Drift and error without each head, without the top k and without k random ones."""
    input:
        manifest="<models>/{model}/manifest.json",
        drift="<induction>/{model}/drift.csv",
        scores="<induction>/{model}/scores.csv",
    output:
        ablation="<induction>/{model}/ablation.csv",
        joint="<induction>/{model}/joint.csv",
        agreement="<induction>/{model}/agreement.csv",
        published="<induction>/{model}/published.csv",
        cost="<induction>/{model}/cost.json",
    log:
        "logs/ablate_orders/{model}.log",
    benchmark:
        "logs/benchmarks/ablate_orders/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        repo=get_published_repo,
        settings=get_study_settings(
            "induction",
            "symbols",
            "other_symbols",
            "prepend_bos",
            "random_sets",
            "set_sizes",
            "seed",
        ),
        code=get_code("ablate_orders"),
    message:
        "Ablating the heads of {wildcards.model}"
    script:
        "../scripts/ablate_orders.py"
