"""Neurons: their importance, and the activation maps of the most important.

inputs: attribution, the model, all valid prompts
outputs: data/arithmetic/{model}/neurons/{operator}.csv and maps/{operator}.h5
steps: rank the neurons of each late layer, then run every valid prompt and keep their activations
"""


rule rank_neurons:
    """The most important neurons of each late layer (definitions 3)."""
    input:
        attribution="<arithmetic>/{model}/attribution/{operator}.h5",
        exact=get_exact_for_ranking,
        probes=get_probes_for_auto,
    output:
        neurons="<arithmetic>/{model}/neurons/{operator}.csv",
    log:
        "logs/rank_neurons/{model}/{operator}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        neurons=get_neuron_settings("importance", "per_layer"),
        code=get_code("rank_neurons"),
    message:
        "Ranking the neurons of {wildcards.model} for {wildcards.operator}"
    script:
        "../scripts/rank_neurons.py"


rule neuron_maps:
    """K maps and value logits of the top neurons over all valid prompts (definitions 6)."""
    input:
        manifest="<models>/{model}/manifest.json",
        context="<arithmetic>/{model}/prompts/context.json",
        neurons="<arithmetic>/{model}/neurons/{operator}.csv",
        prompts="<arithmetic>/{model}/prompts/{operator}/labelled.csv",
    output:
        maps="<arithmetic>/{model}/maps/{operator}.h5",
    log:
        "logs/neuron_maps/{model}/{operator}.log",
    benchmark:
        "logs/benchmarks/neuron_maps/{model}/{operator}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_mem_mb,
        runtime=get_runtime,
        gpu=get_gpus,
    params:
        model=get_model_settings,
        dtype=get_settings("activations", "dtype"),
        code=get_code("neuron_maps"),
    message:
        "Mapping the top neurons of {wildcards.model} for {wildcards.operator}"
    script:
        "../scripts/neuron_maps.py"
