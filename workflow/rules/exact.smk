"""Exact: single neurons patched one at a time, the truth that attribution estimates.

inputs: the model, prompt pairs, cached activations, attribution (it says which neurons to sample)
outputs: data/arithmetic/{model}/exact/{operator}.h5
steps: choose neurons, patch each at "=" in every prompt, estimate the same from gradients
"""


rule exact_neurons:
    """Exact effect of single neurons at "=", beside both estimates of it (definitions 12)."""
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
        attribution="<arithmetic>/{model}/attribution/{operator}.h5",
        verified="<arithmetic>/{model}/verification/checks.json",
    output:
        exact="<arithmetic>/{model}/exact/{operator}.h5",
    log:
        "logs/exact_neurons/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/exact_neurons/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        settings=get_exact_settings,
        steps=get_settings("attribution", "steps"),
        seeds=get_settings("attribution", "seeds"),
        importance=get_settings("neurons", "importance"),
        code=get_code("exact_neurons"),
    message:
        "Patching single neurons of {wildcards.model} on {wildcards.operator}"
    script:
        "../scripts/exact_neurons.py"
