"""Rivals: what else than heuristics may explain the neurons, Fourier modes and helices.

inputs: the model, whose engine was tested, correct prompts, the maps of the top neurons
outputs: data/arithmetic/{model}/rivals/{operator}_explained.csv, _chosen.csv and _spectra.h5,
         rivals/number_spectra.csv, number_fits.csv and number_patches.csv
steps: explain every map by a few heuristics, by a few modes, by both; spectra and helix fits of the
       residuals of numbers, and what the fitted subspaces carry when they are patched alone
"""


rule explain_maps:
    """Variance of every map that heuristics and Fourier modes explain (definitions 15)."""
    input:
        maps="<arithmetic>/{model}/maps/{operator}.h5",
    output:
        explained="<arithmetic>/{model}/rivals/{operator}_explained.csv",
        chosen="<arithmetic>/{model}/rivals/{operator}_chosen.csv",
        spectra="<arithmetic>/{model}/rivals/{operator}_spectra.h5",
    log:
        "logs/explain_maps/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/explain_maps/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(4000),
        runtime=get_growing(60),
    params:
        types=get_settings("heuristics", "types"),
        settings=get_section("rivals", "prompts", "n_modes", "periods", "seed"),
        code=get_code("explain_maps"),
    message:
        "Explaining the {wildcards.operator} maps of {wildcards.model} by heuristics and modes"
    script:
        "../scripts/explain_maps.py"


rule number_codes:
    """Spectra and helix fits of the residuals of numbers, patches of subspaces (definitions 15)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        evaluation=get_per_operator("prompts/{operator}/evaluation.csv"),
        verified="<arithmetic>/{model}/verification/checks.json",
    output:
        spectra="<arithmetic>/{model}/rivals/number_spectra.csv",
        fits="<arithmetic>/{model}/rivals/number_fits.csv",
        patches="<arithmetic>/{model}/rivals/number_patches.csv",
    log:
        "logs/number_codes/{model}.log",
    benchmark:
        "logs/benchmarks/number_codes/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        operators=STUDY.operators,
        settings=get_section(
            "rivals", "periods", "prompts_per_number", "draws", "pairs", "seed"
        ),
        code=get_code("number_codes"),
    message:
        "Numbers in the residuals of {wildcards.model}"
    script:
        "../scripts/number_codes.py"
