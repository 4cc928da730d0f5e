"""Faithfulness: what circuits do alone, while everything outside them is set to its mean.

inputs: the model, effects of heads and neurons, discovery and evaluation prompts
outputs: data/arithmetic/{model}/means.h5, faithfulness/{operator}.csv and circuits/{operator}.csv
steps: mean activations over all operands; choose the heads, then ablate around growing circuits
"""


rule mean_activations:
    """Mean of every head's z and every MLP's post over all operands (definitions 5)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
    output:
        means="<arithmetic>/{model}/means.h5",
    log:
        "logs/mean_activations/{model}.log",
    benchmark:
        "logs/benchmarks/mean_activations/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        max_operand=get_settings("prompts", "max_operand"),
        code=get_code("mean_activations"),
    message:
        "Mean activations of {wildcards.model}"
    script:
        "../scripts/mean_activations.py"


rule faithfulness:
    """Faithfulness of circuits of heads and neurons (definitions 5)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        means="<arithmetic>/{model}/means.h5",
        effects=get_effects_of_operator,
        attribution="<arithmetic>/{model}/attribution/{operator}.h5",
        exact=get_exact_for_ranking,
        probes=get_probes_for_auto,
        discovery="<arithmetic>/{model}/prompts/{operator}/discovery.csv",
        evaluation="<arithmetic>/{model}/prompts/{operator}/evaluation.csv",
    output:
        faithfulness="<arithmetic>/{model}/faithfulness/{operator}.csv",
        circuit="<arithmetic>/{model}/circuits/{operator}.csv",
    log:
        "logs/faithfulness/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/faithfulness/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        neurons=get_neuron_settings("importance"),
        circuit=get_circuit_settings,
        settings=get_settings("faithfulness"),
        code=get_code("faithfulness"),
    message:
        "Faithfulness of circuits of {wildcards.model} on {wildcards.operator}"
    script:
        "../scripts/faithfulness.py"
