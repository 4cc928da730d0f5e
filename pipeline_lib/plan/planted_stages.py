"""Cost of building a planted network."""

from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.stages import ModelWork, Stage, table_stage

TRUTH_BYTES = 8_500  # tables of what is planted, tokenizer, config


def plant_model(work: ModelWork) -> Stage:
    """Weights written by hand in a second, and stored; none for other models."""
    n_bytes = 4 * work.shape.n_parameters
    return table_stage(
        "plant_model",
        jobs=1 if work.is_planted else 0,
        disk_bytes=n_bytes + TRUTH_BYTES,
        array_bytes=4 * n_bytes,
        library_bytes=assumed.LIBRARY_BYTES,
    )
