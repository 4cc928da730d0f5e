"""Training of the models that are built in."""

from pipeline_lib.models.training.settings import SMALL_SETTINGS, ModelSize, TrainingSettings
from pipeline_lib.models.training.tiny_arith import train_and_save
from pipeline_lib.models.training.tokenizer import build_tokenizer

__all__ = [
    "SMALL_SETTINGS",
    "ModelSize",
    "TrainingSettings",
    "build_tokenizer",
    "train_and_save",
]
