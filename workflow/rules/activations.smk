"""Activations: the clean and the counterfactual runs, cached once in HDF5.

inputs: the model, discovery prompts, their counterfactuals
outputs: data/arithmetic/{model}/activations/{operator}/clean.h5 (z, mlp_post, resid_post, logits)
         and counterfactual_seed{seed}.h5 (z, mlp_post)
steps: run the prompts batch by batch, write each batch as it comes
"""


rule cache_clean:
    """Activations of the discovery prompts at every layer and position."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        prompts="<arithmetic>/{model}/prompts/{operator}/discovery.csv",
    output:
        activations="<arithmetic>/{model}/activations/{operator}/clean.h5",
    log:
        "logs/cache_clean/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/cache_clean/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        dtype=get_settings("activations", "dtype"),
        side="clean",
        sites=["z", "mlp_post", "resid_post"],
        code=get_code("cache_activations"),
    message:
        "Caching clean {wildcards.operator} activations of {wildcards.model}"
    script:
        "../scripts/cache_activations.py"


rule cache_counterfactual:
    """Activations of the counterfactual prompts of one seed."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        prompts="<arithmetic>/{model}/prompts/{operator}/counterfactual_seed{seed}.csv",
    output:
        activations="<arithmetic>/{model}/activations/{operator}/counterfactual_seed{seed}.h5",
    log:
        "logs/cache_counterfactual/{model}/{operator}_seed{seed}.log",
    benchmark:
        "logs/benchmarks/cache_counterfactual/{model}/{operator}_seed{seed}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        dtype=get_settings("activations", "dtype"),
        side="counterfactual",
        sites=["z", "mlp_post"],
        code=get_code("cache_activations"),
    message:
        "Caching counterfactual {wildcards.operator} activations of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/cache_activations.py"
