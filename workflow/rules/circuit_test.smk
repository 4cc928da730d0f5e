"""Circuit test: each circuit against random sets of as many heads.

inputs: the model, mean activations, circuits, evaluation prompts
outputs: data/arithmetic/{model}/circuit_tests/{operator}.csv
steps: draw sets of the circuit's size, anywhere and layer by layer; ablate everything outside each
"""


rule circuit_test:
    """Faithfulness of random sets of as many heads as the circuit's (definitions 13)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        means="<arithmetic>/{model}/means.h5",
        circuit="<arithmetic>/{model}/circuits/{operator}.csv",
        evaluation="<arithmetic>/{model}/prompts/{operator}/evaluation.csv",
    output:
        tests="<arithmetic>/{model}/circuit_tests/{operator}.csv",
    log:
        "logs/circuit_test/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/circuit_test/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        settings=get_settings("circuit_test"),
        zero_answers=get_settings("faithfulness", "zero_answers"),
        code=get_code("circuit_test"),
    message:
        "Testing the circuit of {wildcards.model} for {wildcards.operator}"
    script:
        "../scripts/circuit_test.py"
