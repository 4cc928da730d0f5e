"""Heuristics: which neurons fire on which kind of prompts.

inputs: the maps of the top neurons
outputs: data/arithmetic/{model}/heuristics/{operator}_scores.h5, threshold/{operator}_matches.csv and
         {operator}_heuristics.csv, all heuristics with their base rates
steps: score every neuron against every heuristic, keep the pairs that pass the threshold
"""


rule score_heuristics:
    """Overlap of every neuron's top prompts with every heuristic (definitions 7)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        maps="<arithmetic>/{model}/maps/{operator}.h5",
    output:
        scores="<arithmetic>/{model}/heuristics/{operator}_scores.h5",
    log:
        "logs/score_heuristics/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/score_heuristics/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(60),
    params:
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        code=get_code("score_heuristics"),
    message:
        "Scoring the {wildcards.operator} neurons of {wildcards.model} against all heuristics"
    script:
        "../scripts/score_heuristics.py"


rule match_heuristics:
    """The (neuron, heuristic) pairs that pass the threshold (definitions 7)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        scores="<arithmetic>/{model}/heuristics/{operator}_scores.h5",
    output:
        matches="<arithmetic>/{model}/heuristics/threshold/{operator}_matches.csv",
        heuristics="<arithmetic>/{model}/heuristics/{operator}_heuristics.csv",
    log:
        "logs/match_heuristics/{model}/{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        threshold=get_settings("heuristics", "threshold"),
        max_base_rate=get_settings("heuristics", "max_base_rate"),
        code=get_code("match_heuristics"),
    message:
        "Matching the {wildcards.operator} neurons of {wildcards.model} to heuristics"
    script:
        "../scripts/match_heuristics.py"
