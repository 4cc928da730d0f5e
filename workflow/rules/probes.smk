"""Probes: where the answer can be read from the residual stream.

inputs: the model, correct prompts
outputs: data/arithmetic/{model}/residuals/{operator}.h5 (resid_post, with the prompts' answers)
         and probes/{operator}.csv
steps: cache resid_post of some correct prompts, then train a probe for each layer and position
"""


rule cache_residuals:
    """resid_post of a sample of correct prompts at every layer and position."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        prompts="<arithmetic>/{model}/prompts/{operator}/labelled.csv",
    output:
        residuals="<arithmetic>/{model}/residuals/{operator}.h5",
    log:
        "logs/cache_residuals/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/cache_residuals/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        dtype=get_settings("activations", "dtype"),
        prompts=get_settings("probe", "prompts"),
        seed=get_settings("probe", "seed"),
        code=get_code("cache_residuals"),
    message:
        "Caching {wildcards.operator} residuals of {wildcards.model}"
    script:
        "../scripts/cache_residuals.py"


rule probe_answers:
    """Accuracy of linear probes for the answer, with controls (definitions 4)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        residuals="<arithmetic>/{model}/residuals/{operator}.h5",
    output:
        probes="<arithmetic>/{model}/probes/{operator}.csv",
    log:
        "logs/probe_answers/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/probe_answers/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(3000),
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        settings=get_settings("probe"),
        code=get_code("probe_answers"),
    message:
        "Probing {wildcards.model} for the answers of {wildcards.operator}"
    script:
        "../scripts/probe_answers.py"
