"""Training of the built-in attention-only model, on request: `snakemake train_tiny_induction`.

inputs: none; texts are made from the seed
outputs: data/training/tiny-induction (model folder), data/training/tiny-induction_scores.csv
steps: build the tokenizer and a random attention-only Llama, train, score the stored model

The model that ships, data/models/tiny-induction, is never overwritten, because runs are not
bit-identical: to study a new one, set `models.tiny-induction.path` to data/training/tiny-induction.
"""


rule train_tiny_induction:
    """Train the built-in attention-only model from scratch (about two minutes)."""
    output:
        folder=directory("<training>/tiny-induction"),
        scores="<training>/tiny-induction_scores.csv",
    log:
        "logs/train_tiny_induction.log",
    benchmark:
        "logs/benchmarks/train_tiny_induction.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=get_growing(3000),
        runtime=get_growing(30),
    params:
        settings=CONFIG.training.tiny_induction.model_dump(mode="json"),
        code=get_code("train_tiny_induction"),
    message:
        "Training tiny-induction from scratch into {output.folder}"
    script:
        "../scripts/train_tiny_induction.py"
