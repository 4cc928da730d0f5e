"""Verification: the patching engine against identities and plain hooks, on the model itself.

inputs: the model, a few prompt pairs
outputs: data/arithmetic/{model}/verification/checks.json: every check with its difference and
         tolerance, the model's noise floor
steps: patch a random sample with the engine, with Hugging Face hooks and with TransformerLens
"""


rule verify_engine:
    """Self-test of the patching engine; a failure stops the run (definitions 10)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        pairs=get_verification_pairs,
    output:
        checks="<arithmetic>/{model}/verification/checks.json",
    log:
        "logs/verify_engine/{model}.log",
    benchmark:
        "logs/benchmarks/verify_engine/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        settings=get_settings("verification"),
        code=get_code("verify_engine"),
    message:
        "Testing the patching engine on {wildcards.model}"
    script:
        "../scripts/verify_engine.py"


rule table00_verification:
    """Table 0: the engine's self-test, largest differences and the noise floor."""
    input:
        checks="<arithmetic>/{model}/verification/checks.json",
    output:
        **get_figure_outputs("table00_verification", "Table 0 · engine self-test"),
    log:
        "logs/figures/{model}/table00_verification.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="table00_verification",
        operators=STUDY.operators,
        settings=get_figure_settings(),
        code=get_code("draw_figure", "pipeline_lib.figures.table00_verification"),
    message:
        "Drawing table00_verification of {wildcards.model}"
    script:
        "../scripts/draw_figure.py"
