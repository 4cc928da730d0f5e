"""Attribution: a first-order estimate of the indirect effect of every neuron and head.

inputs: the model, prompt pairs, cached activations
outputs: data/arithmetic/{model}/attribution/{operator}.h5
steps: gradients with respect to activations at the clean run, one set for each prompt
"""


rule attribution_patching:
    """Attribution patching of every neuron and head (definitions 3)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        pairs=get_attribution_inputs(
            "<arithmetic>/{model}/prompts/{operator}/counterfactual_seed{seed}.csv"
        ),
        clean="<arithmetic>/{model}/activations/{operator}/clean.h5",
        counterfactual=get_attribution_inputs(
            "<arithmetic>/{model}/activations/{operator}/counterfactual_seed{seed}.h5"
        ),
    output:
        attribution="<arithmetic>/{model}/attribution/{operator}.h5",
    log:
        "logs/attribution_patching/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/attribution_patching/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        method=get_settings("attribution", "method"),
        steps=get_gradients,
        seeds=get_settings("attribution", "seeds"),
        code=get_code("attribution_patching"),
    message:
        "Attribution patching of {wildcards.model} on {wildcards.operator}"
    script:
        "../scripts/attribution_patching.py"
