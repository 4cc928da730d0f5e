"""Models: fetch those of a hub, and describe every model once.

inputs: a Hugging Face folder (shipped, local, or downloaded here)
outputs: data/models/{model}/manifest.json: source, checksums, shape
steps: download (hub models only), read the config and hash the weights
"""


rule fetch_model:
    """Download a model of the hub at its pinned revision."""
    output:
        record="<models>/{model}/download.json",
    log:
        "logs/fetch_model/{model}.log",
    benchmark:
        "logs/benchmarks/fetch_model/{model}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=240,
    params:
        source=get_model_source,
        code=get_code("fetch_model"),
    message:
        "Downloading {wildcards.model}"
    script:
        "../scripts/fetch_model.py"


rule describe_model:
    """Check a model's folder and write its manifest: source, checksums, shape."""
    input:
        files=get_model_files,
    output:
        manifest="<models>/{model}/manifest.json",
    log:
        "logs/describe_model/{model}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        source=get_model_source,
        code=get_code("describe_model"),
    message:
        "Describing {wildcards.model}"
    script:
        "../scripts/describe_model.py"
