"""Heads and vectors: what attention looks at, what heads and neurons read and write in numbers.

inputs: the model, correct prompts, the top neurons, their maps and matches
outputs: data/arithmetic/{model}/attention/*.h5, numbers/*.h5 and failures/{criterion}/{operator}.csv
steps: attention of sampled prompts and over the operand plane; number tokens of OV circuits, of the
       first MLP, of key vectors; outputs of the last MLP; neurons that failed prompts use
"""


rule attention:
    """Attention patterns of some prompts, attention from "=" over the operands (definitions 9)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        evaluation=get_per_operator("prompts/{operator}/evaluation.csv"),
    output:
        patterns="<arithmetic>/{model}/attention/patterns.h5",
        pictures="<arithmetic>/{model}/attention/pictures.h5",
    log:
        "logs/attention/{model}.log",
    benchmark:
        "logs/benchmarks/attention/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        operators=STUDY.operators,
        settings=get_section("heads", "prompts", "operands", "seed"),
        code=get_code("attention"),
    message:
        "Attention of {wildcards.model}"
    script:
        "../scripts/attention.py"


rule number_maps:
    """What heads write for a number they attend to; the first MLP on numbers (definitions 9)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
    output:
        ov="<arithmetic>/{model}/numbers/ov.h5",
        mlp0="<arithmetic>/{model}/numbers/mlp0.h5",
    log:
        "logs/number_maps/{model}.log",
    benchmark:
        "logs/benchmarks/number_maps/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        max_operand=get_settings("prompts", "max_operand"),
        ov_source=get_settings("heads", "ov_source"),
        code=get_code("number_maps"),
    message:
        "Number tokens of the heads and the first MLP of {wildcards.model}"
    script:
        "../scripts/number_maps.py"


rule mlp_vectors:
    """Number tokens in key vectors of the top neurons; outputs of the last MLP (definitions 9)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        neurons=get_per_operator("neurons/{operator}.csv"),
        evaluation=get_per_operator("prompts/{operator}/evaluation.csv"),
    output:
        key_vectors=expand(
            "<arithmetic>/{{model}}/numbers/{operator}_keys.h5",
            operator=STUDY.operators,
        ),
        outputs="<arithmetic>/{model}/numbers/outputs.h5",
    log:
        "logs/mlp_vectors/{model}.log",
    benchmark:
        "logs/benchmarks/mlp_vectors/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        operators=STUDY.operators,
        settings=get_settings("embeddings"),
        code=get_code("mlp_vectors"),
    message:
        "Key vectors and outputs of the MLPs of {wildcards.model}"
    script:
        "../scripts/mlp_vectors.py"


rule failure_modes:
    """What the associated neurons add on right and on wrong answers (definitions 9)."""
    input:
        maps="<arithmetic>/{model}/maps/{operator}.h5",
        matches="<arithmetic>/{model}/heuristics/{criterion}/{operator}_matches.csv",
        prompts="<arithmetic>/{model}/prompts/{operator}/labelled.csv",
    output:
        failures="<arithmetic>/{model}/failures/{criterion}/{operator}.csv",
    log:
        "logs/failure_modes/{model}/{criterion}/{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        settings=get_settings("failures"),
        kind=get_settings("heuristics", "kind"),
        code=get_code("failure_modes"),
    message:
        "Failures of {wildcards.model} on {wildcards.operator}"
    script:
        "../scripts/failure_modes.py"
