"""Settings of the rules that train the built-in models."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from pipeline_lib.config.base import Conflict, Count, CountOrZero, OrderedItems, Section, Seed

Rate = Annotated[float, Field(gt=0, le=10)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class TinyArithTraining(Section):
    """Training of `tiny-arith`; the defaults give the model that is shipped."""

    seed: Seed = 42
    """Seed of the initial weights, the held-out split and the order of the prompts."""
    max_operand: Annotated[int, Field(ge=10, le=1_000)] = 300
    """Operands of the prompts are smaller than this number."""
    held_out_fraction: Fraction = 0.1
    """Share of the valid prompts of each operator that is never trained on."""
    steps: Count = 1_300
    """Optimiser steps."""
    checkpoints: OrderedItems[CountOrZero] = (0, 65, 130, 260, 520, 910)
    """Steps after which the model is also kept, as `tiny-arith@step<n>`; the last always is."""
    batch_per_operator: Count = 1_024
    """Prompts of each operator in one batch."""
    muon_lr: Rate = 0.02
    """Peak learning rate of Muon, which trains the matrices of the blocks."""
    adamw_lr: Rate = 0.005
    """Peak learning rate of AdamW, which trains embedding, unembedding and norms."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.5
    """Decoupled weight decay, times the learning rate; the norms have none."""
    warmup_fraction: Fraction = 0.03
    """Share of the steps with a rising learning rate; a cosine to 0 follows."""
    bfloat16: bool = True
    """Forward pass in bfloat16; weights and optimiser stay float32."""

    def conflicts(self) -> Iterator[Conflict]:
        """Checkpoints lie before the end of the training."""
        late = [step for step in self.checkpoints if step >= self.steps]
        if late:
            yield Conflict(
                "checkpoints",
                list(self.checkpoints),
                f"must be smaller than steps, which is {self.steps}",
                involves=("steps",),
            )


class TinyInductionTraining(Section):
    """Training of `tiny-induction`; the defaults give the model that is shipped."""

    seed: Seed = 42
    """Seed of the made-up words, the initial weights and the texts."""
    steps: Count = 1_000
    """Optimiser steps."""
    batch: Count = 48
    """Texts of a batch."""
    length: Annotated[int, Field(ge=8, le=128)] = 64
    """Tokens of a text."""
    most_phrases: Annotated[int, Field(ge=1, le=100)] = 6
    """Phrases of a text, which come again and again: 1 to this many."""
    longest_phrase: Annotated[int, Field(ge=1, le=100)] = 8
    """Words of a phrase: 1 to this many."""
    muon_lr: Rate = 0.02
    """Peak learning rate of Muon, which trains the matrices of the blocks."""
    adamw_lr: Rate = 0.005
    """Peak learning rate of AdamW, which trains embedding, unembedding, norms and biases."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Decoupled weight decay, times the learning rate; norms and biases have none."""
    warmup_fraction: Fraction = 0.03
    """Share of the steps with a rising learning rate; a cosine to 0 follows."""


class TrainingSection(Section):
    """Training of the models that ship with the project."""

    tiny_arith: TinyArithTraining = TinyArithTraining()
    tiny_induction: TinyInductionTraining = TinyInductionTraining()
