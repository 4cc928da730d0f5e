"""Effects: the indirect effect of every head and MLP by activation patching.

inputs: the model, prompt pairs, cached activations; the engine's self-test must have passed
outputs: data/arithmetic/{model}/effects/{operator}_seed{seed}.h5
steps: patch every component at every position, one effect per prompt
"""


rule indirect_effects:
    """Indirect effect of each head and MLP at each position (definitions 2, paper eq. 1)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        pairs="<arithmetic>/{model}/prompts/{operator}/counterfactual_seed{seed}.csv",
        counterfactual="<arithmetic>/{model}/activations/{operator}/counterfactual_seed{seed}.h5",
        # Not ancient(): where the test is repeated, Snakemake would no longer look whether
        # the effects have reasons of their own, such as the changed engine that is tested.
        verified="<arithmetic>/{model}/verification/checks.json",
    output:
        effects="<arithmetic>/{model}/effects/{operator}_seed{seed}.h5",
    log:
        "logs/indirect_effects/{model}/{operator}_seed{seed}.log",
    benchmark:
        "logs/benchmarks/indirect_effects/{model}/{operator}_seed{seed}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        positions=get_settings("effects", "positions"),
        code=get_code("indirect_effects"),
    message:
        "Patching {wildcards.model} on {wildcards.operator}, seed {wildcards.seed}"
    script:
        "../scripts/indirect_effects.py"
