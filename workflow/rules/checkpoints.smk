"""Checkpoints: heuristics over training.

inputs: training checkpoints of the model; prompts, circuits and matches of the model itself
outputs: data/arithmetic/{model}/checkpoints/{checkpoint}/ (neurons, scores, labels, means,
         faithfulness, knockouts) and checkpoints/{criterion}_matches.csv
steps: score each checkpoint's top neurons, match them all, ablate around what they share
"""


rule score_checkpoint:
    """Top neurons of a checkpoint, their scores on all heuristics, its labels and means (definitions 9)."""
    input:
        manifest="<models>/{model}@{checkpoint}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        pairs=get_attribution_pairs,
        labelled=get_per_operator("prompts/{operator}/labelled.csv"),
        probes=get_probes_for_auto,
    output:
        neurons=expand(
            "<arithmetic>/{{model}}/checkpoints/{{checkpoint}}/{operator}_neurons.csv",
            operator=STUDY.operators,
        ),
        scores=expand(
            "<arithmetic>/{{model}}/checkpoints/{{checkpoint}}/{operator}_scores.h5",
            operator=STUDY.operators,
        ),
        links=expand(
            "<arithmetic>/{{model}}/checkpoints/{{checkpoint}}/{operator}_links.csv",
            operator=STUDY.operators,
        ),
        labelled=expand(
            "<arithmetic>/{{model}}/checkpoints/{{checkpoint}}/{operator}_labelled.csv",
            operator=STUDY.operators,
        ),
        means="<arithmetic>/{model}/checkpoints/{checkpoint}/means.h5",
    log:
        "logs/score_checkpoint/{model}/{checkpoint}.log",
    benchmark:
        "logs/benchmarks/score_checkpoint/{model}/{checkpoint}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        operators=STUDY.operators,
        attribution=get_ranking_settings,
        neurons=get_neuron_settings("importance", "per_layer"),
        types=get_settings("heuristics", "types"),
        heuristics=get_section("heuristics", "kind", "max_base_rate", "min_share"),
        dtype=get_settings("activations", "dtype"),
        max_operand=get_settings("prompts", "max_operand"),
        mean_prompts=get_settings("checkpoints", "mean_prompts"),
        seed=get_settings("checkpoints", "seed"),
        code=get_code("score_checkpoint"),
    message:
        "Scoring the neurons of {wildcards.model} at {wildcards.checkpoint}"
    script:
        "../scripts/score_checkpoint.py"


rule match_checkpoints:
    """The (neuron, heuristic) pairs of every checkpoint that pass the threshold (definitions 7)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        scores=get_per_checkpoint("{operator}_scores.h5"),
    output:
        matches="<arithmetic>/{model}/checkpoints/threshold_matches.csv",
    log:
        "logs/match_checkpoints/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(30),
    params:
        checkpoints=get_checkpoints,
        operators=STUDY.operators,
        kind=get_settings("heuristics", "kind"),
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        threshold=get_settings("heuristics", "threshold"),
        max_base_rate=get_settings("heuristics", "max_base_rate"),
        code=get_code("match_checkpoints"),
    message:
        "Matching the checkpoints of {wildcards.model} to heuristics"
    script:
        "../scripts/match_checkpoints.py"


rule classify_checkpoints:
    """The heuristics of every checkpoint's neurons above the final model's cut (definitions 17)."""
    input:
        context="<arithmetic>/{model}/prompts/context.json",
        scores=get_per_checkpoint("{operator}_scores.h5"),
        links=get_per_checkpoint("{operator}_links.csv"),
        final=get_per_operator("heuristics/fdr/{operator}_neurons.csv"),
    output:
        matches="<arithmetic>/{model}/checkpoints/fdr_matches.csv",
    log:
        "logs/classify_checkpoints/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(30),
    params:
        checkpoints=get_checkpoints,
        operators=STUDY.operators,
        types=get_settings("heuristics", "types"),
        max_operand=get_settings("prompts", "max_operand"),
        heuristics=get_section("heuristics", "kind", "min_share"),
        code=get_code("classify_checkpoints"),
    message:
        "Classifying the neurons of the checkpoints of {wildcards.model}"
    script:
        "../scripts/classify_checkpoints.py"


rule ablate_checkpoint:
    """A checkpoint with the final model's neurons alone, and without its own (definitions 9)."""
    input:
        unpack(get_checkpoint_files),
        context="<arithmetic>/{model}/prompts/context.json",
        final=get_per_operator("heuristics/{criterion}/{operator}_matches.csv"),
        circuits=get_per_operator("circuits/{operator}.csv"),
        evaluation=get_per_operator("prompts/{operator}/evaluation.csv"),
        probes=get_probes_for_auto,
    output:
        faithfulness="<arithmetic>/{model}/checkpoints/{checkpoint}/{criterion}_faithfulness.csv",
        knockouts="<arithmetic>/{model}/checkpoints/{checkpoint}/{criterion}_knockouts.csv",
    log:
        "logs/ablate_checkpoint/{model}/{criterion}/{checkpoint}.log",
    benchmark:
        "logs/benchmarks/ablate_checkpoint/{model}/{criterion}/{checkpoint}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        operators=STUDY.operators,
        kind=get_settings("heuristics", "kind"),
        neurons=get_neuron_settings(),
        zero_answers=get_settings("faithfulness", "zero_answers"),
        positions=get_settings("knockouts", "by_prompt", "positions"),
        rank=get_settings("knockouts", "by_prompt", "rank"),
        settings=get_section("checkpoints", "prompts", "per_layer", "seed"),
        code=get_code("ablate_checkpoint"),
    message:
        "Ablating neurons of {wildcards.model} at {wildcards.checkpoint}"
    script:
        "../scripts/ablate_checkpoint.py"
