"""Calibration: which neurons match heuristics better than chance (definitions 17).

inputs: the maps and scores of the top neurons, the model, attribution
outputs: data/arithmetic/{model}/calibration/{operator}_nulls.csv, _neurons.csv, _links.csv, and
         heuristics/fdr/{operator}_matches.csv
steps: measure maps that should match nothing, compare every neuron with them and with surrogates
       of its own map, keep the heuristics of those that pass the false discovery rate
"""


rule null_evidence:
    """Evidence of neurons without effect, random directions and an untrained model (definitions 17)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        prompts="<arithmetic>/{model}/prompts/{operator}/labelled.csv",
        neurons="<arithmetic>/{model}/neurons/{operator}.csv",
        attribution="<arithmetic>/{model}/attribution/{operator}.h5",
    output:
        nulls="<arithmetic>/{model}/calibration/{operator}_nulls.csv",
    log:
        "logs/null_evidence/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/null_evidence/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        heuristics=get_section("heuristics", "kind", "max_base_rate"),
        nulls=get_named_settings(
            "heuristics.calibration.per_layer", "heuristics.calibration.scored"
        ),
        seed=get_settings("heuristics", "calibration", "seed"),
        code=get_code("null_evidence"),
    message:
        "Measuring what matches heuristics by chance in {wildcards.model}, {wildcards.operator}"
    script:
        "../scripts/null_evidence.py"


rule calibrate_heuristics:
    """Evidence of every top neuron for heuristics, against surrogates and nulls (definitions 17)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        maps="<arithmetic>/{model}/maps/{operator}.h5",
        nulls="<arithmetic>/{model}/calibration/{operator}_nulls.csv",
    output:
        neurons="<arithmetic>/{model}/calibration/{operator}_neurons.csv",
        links="<arithmetic>/{model}/calibration/{operator}_links.csv",
    log:
        "logs/calibrate_heuristics/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/calibrate_heuristics/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(3000),
        runtime=get_growing(120),
    params:
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        heuristics=get_section("heuristics", "kind", "max_base_rate", "min_share"),
        calibration=get_named_settings(
            "heuristics.calibration.nulls", "heuristics.calibration.surrogates"
        ),
        seed=get_settings("heuristics", "calibration", "seed"),
        code=get_code("calibrate_heuristics"),
    message:
        "Calibrating the {wildcards.operator} heuristics of {wildcards.model}"
    script:
        "../scripts/calibrate_heuristics.py"


rule classify_neurons:
    """The heuristics of the neurons that pass the false discovery rate (definitions 17)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        scores="<arithmetic>/{model}/heuristics/{operator}_scores.h5",
        neurons="<arithmetic>/{model}/calibration/{operator}_neurons.csv",
        links="<arithmetic>/{model}/calibration/{operator}_links.csv",
    output:
        matches="<arithmetic>/{model}/heuristics/fdr/{operator}_matches.csv",
        neurons="<arithmetic>/{model}/heuristics/fdr/{operator}_neurons.csv",
    log:
        "logs/classify_neurons/{model}/{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        heuristics=get_section("heuristics", "kind", "fdr"),
        min_share=get_settings("heuristics", "min_share"),
        max_base_rate=get_settings("heuristics", "max_base_rate"),
        code=get_code("classify_neurons"),
    message:
        "Classifying the {wildcards.operator} neurons of {wildcards.model}"
    script:
        "../scripts/classify_neurons.py"
