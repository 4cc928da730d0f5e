"""Training of the built-in arithmetic model, on request only: `snakemake train_tiny_arith`.

inputs: none; every valid prompt is enumerated, a share of them is held out
outputs: data/training/tiny-arith (model folder), data/training/tiny-arith@step{n} (checkpoints),
  data/training/tiny-arith_accuracy.csv (by step, operator and split)
steps: build the tokenizer and a random Llama, train, evaluate every folder on all prompts

The model that ships, data/models/tiny-arith, is never overwritten, because runs are not
bit-identical: to study a new one, set `models.tiny-arith.path` to data/training/tiny-arith.
"""


rule train_tiny_arith:
    """Train the built-in arithmetic model and its checkpoints from scratch (about 10 minutes)."""
    output:
        final=directory("<training>/tiny-arith"),
        checkpoints=directory(
            expand(
                "<training>/tiny-arith@step{step}",
                step=CONFIG.training.tiny_arith.checkpoints,
            )
        ),
        accuracy="<training>/tiny-arith_accuracy.csv",
    log:
        "logs/train_tiny_arith.log",
    benchmark:
        "logs/benchmarks/train_tiny_arith.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=get_growing(3000),
        runtime=get_growing(60),
    params:
        settings=CONFIG.training.tiny_arith.model_dump(mode="json"),
        code=get_code("train_tiny_arith"),
    message:
        "Training tiny-arith from scratch into {output.final}"
    script:
        "../scripts/train_tiny_arith.py"
