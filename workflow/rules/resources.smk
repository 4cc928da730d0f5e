"""Memory, time and GPUs of the stages, as functions of wildcards and attempts.

inputs: CONFIG of common.smk, the models' files
outputs: get_* functions for resources
steps: from the model's entry in the config and the size of its weights; more with every attempt
"""


def get_mem_mb(wildcards, attempt):
    """Memory of a stage that runs a model: its weights twice and room for one batch, in MB."""
    weights = sum(
        Path(name).stat().st_size
        for name in get_model_files(wildcards)
        if Path(name).exists()
    )
    return attempt * (2000 + 2 * weights // 2**20)


def get_runtime(wildcards, attempt):
    """Wall time of a stage that runs a model, in minutes; doubles when a job is tried again."""
    return CONFIG.model(wildcards.model).runtime * 2 ** (attempt - 1)


def get_growing(amount):
    """Resource function: an amount that grows with every attempt."""

    def resource(wildcards, attempt):
        return amount * attempt

    return resource


def get_gpus(wildcards):
    """GPUs of a stage that runs a model."""
    return CONFIG.model(wildcards.model).gpus
