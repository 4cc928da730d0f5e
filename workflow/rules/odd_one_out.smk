"""Odd one out: baselines, sweeps, paths, subspaces and neurons of the task that a model can do.

inputs: the model, the table of people
outputs: data/odd_one_out/{model}/baselines/, sweeps/, paths/, subspace/
steps: draw pairs of prompts and measure margins; sweep what passes; patch paths; probe and patch
       subspaces, attribute to neurons
"""


rule odd_one_out_baselines:
    """Part 1: pairs of prompts of every task, their margins, which pass, what the model can do."""
    input:
        unpack(get_people_table),
        manifest="<models>/{model}/manifest.json",
    output:
        pairs="<odd_one_out>/{model}/baselines/pairs.csv",
        logits="<odd_one_out>/{model}/baselines/logits.csv",
        left_out="<odd_one_out>/{model}/baselines/left_out.csv",
        summary="<odd_one_out>/{model}/baselines/summary.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    log:
        "logs/odd_one_out_baselines/{model}.log",
    benchmark:
        "logs/benchmarks/odd_one_out_baselines/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        tasks=list(CONFIG.odd_one_out.tasks),
        formats=CONFIG.odd_one_out.params("formats")["formats"],
        examples=CONFIG.odd_one_out.params("examples")["examples"],
        grid=CONFIG.odd_one_out.params("grid")["grid"],
        seed=CONFIG.odd_one_out.seed,
        people=get_checksums(get_people_table),
        code=get_code("odd_one_out_baselines"),
    message:
        "Can {wildcards.model} find the odd one out"
    script:
        "../scripts/odd_one_out_baselines.py"


rule odd_one_out_sweeps:
    """Parts 2, 3 and 6: necessity, sufficiency, the critical layers, generality with controls."""
    input:
        manifest="<models>/{model}/manifest.json",
        pairs="<odd_one_out>/{model}/baselines/pairs.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
    output:
        necessity="<odd_one_out>/{model}/sweeps/necessity.csv",
        sufficiency="<odd_one_out>/{model}/sweeps/sufficiency.csv",
        generality="<odd_one_out>/{model}/sweeps/generality.csv",
        costs="<odd_one_out>/{model}/sweeps/costs.csv",
        critical="<odd_one_out>/{model}/sweeps/critical.json",
        logits="<odd_one_out>/{model}/sweeps/logits.h5",
    log:
        "logs/odd_one_out_sweeps/{model}.log",
    benchmark:
        "logs/benchmarks/odd_one_out_sweeps/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        sweep=CONFIG.odd_one_out.params("sweep")["sweep"],
        seed=CONFIG.odd_one_out.seed,
        code=get_code("odd_one_out_sweeps"),
    message:
        "Necessary and sufficient layers, heads and MLPs of {wildcards.model}"
    script:
        "../scripts/odd_one_out_sweeps.py"


rule odd_one_out_paths:
    """Parts 4 and 5: backup heads, paths to the critical slice, retrieval heads."""
    input:
        manifest="<models>/{model}/manifest.json",
        pairs="<odd_one_out>/{model}/baselines/pairs.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
        critical="<odd_one_out>/{model}/sweeps/critical.json",
    output:
        hydra="<odd_one_out>/{model}/paths/hydra.csv",
        paths="<odd_one_out>/{model}/paths/paths.csv",
        retrieval="<odd_one_out>/{model}/paths/retrieval.csv",
        ablation="<odd_one_out>/{model}/paths/ablation.csv",
        costs="<odd_one_out>/{model}/paths/costs.csv",
    log:
        "logs/odd_one_out_paths/{model}.log",
    benchmark:
        "logs/benchmarks/odd_one_out_paths/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        paths=CONFIG.odd_one_out.params("paths")["paths"],
        seed=CONFIG.odd_one_out.seed,
        code=get_code("odd_one_out_paths"),
    message:
        "Backup heads and paths of {wildcards.model}"
    script:
        "../scripts/odd_one_out_paths.py"


rule odd_one_out_subspace:
    """Parts 7 and 8: the super-class in the critical layer, patches of its subspace, neurons."""
    input:
        unpack(get_people_table),
        manifest="<models>/{model}/manifest.json",
        pairs="<odd_one_out>/{model}/baselines/pairs.csv",
        choice="<odd_one_out>/{model}/baselines/choice.json",
        critical="<odd_one_out>/{model}/sweeps/critical.json",
    output:
        probe="<odd_one_out>/{model}/subspace/probe.csv",
        patches="<odd_one_out>/{model}/subspace/patches.csv",
        neurons="<odd_one_out>/{model}/subspace/neurons.csv",
        neuron_classes="<odd_one_out>/{model}/subspace/neuron_classes.csv",
    log:
        "logs/odd_one_out_subspace/{model}.log",
    benchmark:
        "logs/benchmarks/odd_one_out_subspace/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        formats=CONFIG.odd_one_out.params("formats")["formats"],
        subspace=CONFIG.odd_one_out.params("subspace")["subspace"],
        seed=CONFIG.odd_one_out.seed,
        people=get_checksums(get_people_table),
        code=get_code("odd_one_out_subspace"),
    message:
        "Subspaces and neurons of {wildcards.model}"
    script:
        "../scripts/odd_one_out_subspace.py"
