"""Recovery: what the methods find of networks whose heads and heuristics are known.

inputs: none; every network is built in its own job (config section `recovery`)
outputs: data/arithmetic/planted/recovery/*.csv, one a network, and
         figs/arithmetic/planted/planted_recovery as PDF, PNG and CSV
steps: build a network, patch, attribute and match it as the pipeline does, count what is right

On request only: `snakemake --cores 2 planted`.
"""


rule measure_recovery:
    """What patching, attribution and matching find of one planted network (definitions 16)."""
    output:
        recovery=get_recovery_table("{noise}", "{superposition}"),
    log:
        "logs/measure_recovery/noise{noise}_superposition{superposition}.log",
    benchmark:
        "logs/benchmarks/measure_recovery/noise{noise}_superposition{superposition}.tsv"
    wildcard_constraints:
        noise=r"\d+\.\d+",
        superposition=r"\d+\.\d+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(30),
    params:
        network=get_recovery_network,
        prompts=CONFIG.recovery.params("patched", "attributed"),
        importance=STUDY.neurons.importance,
        types=STUDY.heuristics.types.params(),
        limits=get_recovery_limits,
        code=get_code("measure_recovery"),
    message:
        "Measuring what is found at noise {wildcards.noise}, superposition {wildcards.superposition}"
    script:
        "../scripts/measure_recovery.py"


rule planted_recovery:
    """Precision and recall against noise and superposition."""
    input:
        recovery=get_recovery_tables,
    output:
        **get_figure_outputs(
            "planted_recovery", "What is found of planted heuristics", folder="planted"
        ),
    log:
        "logs/figures/planted/planted_recovery.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(2000),
        runtime=get_growing(10),
    params:
        figure="planted_recovery",
        operators=STUDY.operators,
        settings={"dpi": STUDY.figures.dpi},
        code=get_code("draw_figure", "pipeline_lib.figures.planted_recovery"),
    message:
        "Drawing planted_recovery"
    script:
        "../scripts/draw_figure.py"


rule planted:
    """What the methods find of planted networks (on request: about a minute a network)."""
    input:
        rules.planted_recovery.output,
