"""Rivals: what else than heuristics may explain the neurons, Fourier modes and helices.

inputs: the model, prompts, the maps of the top neurons
outputs: data/arithmetic/{model}/rivals/{operator}_explained.csv, {operator}_chosen.csv
steps: explain every map by a few heuristics, by a few modes, by both
"""


rule explain_maps:
    """Variance of every map that heuristics and Fourier modes explain (definitions 12)."""
    input:
        maps="<arithmetic>/{model}/maps/{operator}.h5",
    output:
        explained="<arithmetic>/{model}/rivals/{operator}_explained.csv",
        chosen="<arithmetic>/{model}/rivals/{operator}_chosen.csv",
    log:
        "logs/explain_maps/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/explain_maps/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        types=get_settings("heuristics", "types"),
        settings=get_section("rivals", "prompts", "n_modes", "periods", "seed"),
        code=get_code("explain_maps"),
    message:
        "Explaining the {wildcards.operator} maps of {wildcards.model} by heuristics and modes"
    script:
        "../scripts/explain_maps.py"
