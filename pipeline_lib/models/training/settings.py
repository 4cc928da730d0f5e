"""Settings of a training run of the built-in arithmetic model."""

from dataclasses import dataclass, field

from pipeline_lib.errors import ConfigError
from pipeline_lib.models.training.optimisation import Optimisation


@dataclass(frozen=True)
class ModelSize:
    """Size of the Llama-architecture model; the defaults give 391,872 parameters."""

    n_layers: int = 4
    n_heads: int = 4
    d_head: int = 16
    d_model: int = 64
    d_mlp: int = 256
    init_std: float = 0.05


@dataclass(frozen=True)
class TrainingSettings(Optimisation):
    """Everything that decides a training run; the defaults give the model that is shipped.

    Raises ConfigError where values do not make a training run.
    """

    size: ModelSize = field(default_factory=ModelSize)
    seed: int = 42
    """Initial weights, the held-out split and the order of prompts are all derived from it."""
    max_operand: int = 300
    """Prompts have operands in [0, max_operand)."""
    max_number: int = 999
    """Numbers 0..max_number are one token each; prompts with a larger answer are not valid."""
    held_out_fraction: float = 0.1
    """Share of the valid prompts of each operator that is never trained on."""
    steps: int = 1300
    checkpoints: tuple[int, ...] = (0, 65, 130, 260, 520, 910)
    """Numbers of steps after which the model is also kept; the final model always is."""
    batch_per_operator: int = 1024
    """Prompts of each of the four operators in one batch."""
    answer_exponent: float = -0.5
    """A division prompt is drawn with a weight of (prompts with the same answer) to this power."""
    bfloat16: bool = True
    """Forward pass in bfloat16 autocast; weights and optimizer states stay float32."""

    def __post_init__(self) -> None:
        problems = {
            "steps": self.steps < 1,
            "batch_per_operator": self.batch_per_operator < 1,
            "max_operand": not 2 <= self.max_operand <= self.max_number + 1,
            "held_out_fraction": not 0 <= self.held_out_fraction < 1,
            "warmup_fraction": not 0 <= self.warmup_fraction < 1,
            "checkpoints": any(not 0 <= step < self.steps for step in self.checkpoints),
        }
        wrong = {name: getattr(self, name) for name, is_wrong in problems.items() if is_wrong}
        if wrong:
            raise ConfigError(
                "These training settings are out of range.",
                where="TrainingSettings",
                value=wrong,
                hint="checkpoints lie in [0, steps), fractions in [0, 1), "
                "max_operand in [2, max_number + 1], counts are at least 1.",
            )


SMALL_SETTINGS = TrainingSettings(
    max_operand=100, batch_per_operator=512, steps=500, checkpoints=(0, 50, 250)
)
"""The same training on operands below 100: one to two CPU minutes, the size used for CI."""
