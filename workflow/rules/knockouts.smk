"""Knockouts: accuracy after silencing the neurons of heuristics.

inputs: the model, matched neurons and their maps, mean activations, evaluation prompts
outputs: data/arithmetic/{model}/knockouts/{criterion}/{operator}_by_heuristic.csv and {operator}_by_prompt.csv
steps: silence one heuristic and compare its prompts with others, and with random sets like it;
       silence what one prompt uses, or others like it; by zero, by the mean, by another prompt's value
"""


rule knock_out_heuristics:
    """Accuracy on associated and other prompts without one heuristic (definitions 8)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        means="<arithmetic>/{model}/means.h5",
        maps="<arithmetic>/{model}/maps/{operator}.h5",
        matches="<arithmetic>/{model}/heuristics/{criterion}/{operator}_matches.csv",
        prompts="<arithmetic>/{model}/prompts/{operator}/evaluation.csv",
    output:
        knockouts="<arithmetic>/{model}/knockouts/{criterion}/{operator}_by_heuristic.csv",
    log:
        "logs/knock_out_heuristics/{model}/{criterion}/{operator}.log",
    benchmark:
        "logs/benchmarks/knock_out_heuristics/{model}/{criterion}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        kind=get_settings("heuristics", "kind"),
        ablations=get_settings("knockouts", "ablations"),
        settings=get_settings("knockouts", "by_heuristic"),
        code=get_code("knock_out_heuristics"),
    message:
        "Knocking out the {wildcards.operator} heuristics of {wildcards.model}"
    script:
        "../scripts/knock_out_heuristics.py"


rule knock_out_prompts:
    """Accuracy on single prompts without the neurons they use (definitions 8)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        means="<arithmetic>/{model}/means.h5",
        maps="<arithmetic>/{model}/maps/{operator}.h5",
        neurons="<arithmetic>/{model}/neurons/{operator}.csv",
        matches="<arithmetic>/{model}/heuristics/{criterion}/{operator}_matches.csv",
        prompts="<arithmetic>/{model}/prompts/{operator}/evaluation.csv",
    output:
        knockouts="<arithmetic>/{model}/knockouts/{criterion}/{operator}_by_prompt.csv",
    log:
        "logs/knock_out_prompts/{model}/{criterion}/{operator}.log",
    benchmark:
        "logs/benchmarks/knock_out_prompts/{model}/{criterion}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        kind=get_settings("heuristics", "kind"),
        ablations=get_settings("knockouts", "ablations"),
        settings=get_settings("knockouts", "by_prompt"),
        code=get_code("knock_out_prompts"),
    message:
        "Knocking out {wildcards.operator} prompts of {wildcards.model}"
    script:
        "../scripts/knock_out_prompts.py"
