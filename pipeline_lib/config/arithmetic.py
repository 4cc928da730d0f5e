"""Settings of the arithmetic study ("Arithmetic Without Algorithms", arXiv 2410.21272).

A setting without a value here takes it from the preset (``config/presets/*.yaml``).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.base import (
    POSITION_NAMES,
    Conflict,
    Count,
    CountOrZero,
    Items,
    ModelName,
    NonEmpty,
    OperatorName,
    OrderedItems,
    PositionName,
    Section,
    Seed,
    Share,
)
from pipeline_lib.config.controls import CircuitTestSection, ExactSection
from pipeline_lib.config.heuristics import HeuristicsSection
from pipeline_lib.config.knockouts import CheckpointsSection, KnockoutsSection
from pipeline_lib.config.rivals import RivalsSection

HeadName = Annotated[str, Field(pattern=r"^L\d{1,4}H\d{1,4}$", examples=["L15H13"])]


class PromptsSection(Section):
    """Which prompts are asked and how they are split (definitions 1)."""

    min_operand: Annotated[int, Field(ge=0, le=9_999)] = 0
    """Smallest operand; division always starts at 1."""
    max_operand: Annotated[int, Field(ge=1, le=10_000)] = 300
    """Operands are smaller than this number."""
    discovery: Count
    """Correct prompts per operator used to find components; the other correct ones evaluate."""
    discovery_seed: Seed = 42
    """Seed of the split into discovery and evaluation prompts, and of the few-shot examples."""
    counterfactual: Literal["different_answer", "any"]
    """Counterfactual prompts: with another answer than the clean prompt, or any prompt."""
    few_shot: Annotated[int, Field(ge=0, le=16)] = 0
    """Solved examples of the same operator in front of each prompt."""

    def conflicts(self) -> Iterator[Conflict]:
        """The operand range must hold at least one number."""
        if self.min_operand >= self.max_operand:
            yield Conflict(
                "min_operand",
                self.min_operand,
                f"must be smaller than max_operand, which is {self.max_operand}",
                involves=("max_operand",),
            )


class ActivationsSection(Section):
    """How activations are kept on disk."""

    dtype: Literal["float32", "float16"] = "float32"
    """Type of the stored numbers; float16 halves the disk space and costs precision."""


class VerificationSection(Section):
    """Self-test of the patching engine, before it measures effects (definitions 10)."""

    prompts: Annotated[int, Field(ge=1, le=1_000)] = 2
    """Discovery prompts of each operator, with counterfactuals of the first `attribution` seed."""
    patches: Count = 64
    """Random patches compared with plain hooks; every layer has a head and its MLP among them."""
    seed: Seed = 42
    """Seed of the choice of patches."""


class EffectsSection(Section):
    """Indirect effect of single components, by activation patching (paper equation 1)."""

    positions: Annotated[OrderedItems[PositionName], NonEmpty] = POSITION_NAMES
    """Token positions that are patched, one at a time."""


class AttributionSection(Section):
    """Effect of every neuron, estimated from gradients (definitions 3)."""

    method: Literal["gradient", "integrated"] = "gradient"
    """One gradient at the clean run, or the mean of `steps` gradients on the way to the other."""
    steps: Annotated[int, Field(ge=2, le=1_000)] = 16
    """Gradients per prompt of the method `integrated`."""
    seeds: Annotated[OrderedItems[Seed], NonEmpty] = (42,)
    """Seeds whose counterfactual prompts are pooled; each must be one of the study's seeds."""


class ProbeSection(Section):
    """Linear probes for the answer at every layer and position (paper, figure 3)."""

    prompts: Annotated[int, Field(ge=2, le=1_000_000)] = 3_000
    """Correct prompts per operator whose residuals are kept; the paper takes all of them."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Passes over the training prompts."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    """Step size of Adam."""
    batch: Count = 32
    """Prompts in a training step."""
    standardize: bool = False
    """Scale each direction to deviation 1 over the training prompts first (not in the paper)."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the prompts that are tested on, not trained on."""
    seed: Seed = 42
    """Seed of the choice of prompts, of their splits and of the order of the batches."""


class NeuronsSection(Section):
    """Which neurons are looked at more closely (definitions 3)."""

    importance: Literal["mean", "mean_plus_std"]
    """A neuron's importance: mean effect over prompts, or mean plus standard deviation."""
    ranking: Literal["attribution", "exact"] = "attribution"
    """Effects behind it at "=": `attribution.method`'s estimates; `exact` patches every neuron."""
    per_layer: Count = 200
    """Most important neurons kept in each layer, per operator."""
    first_heuristics_layer: Literal["half", "auto"] | CountOrZero = "half"
    """First layer whose neurons are kept; `half` the middle, `auto` the first readable answer."""
    readable_accuracy: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Mean accuracy over operators that the answer's probe at "=" must pass for `auto`."""


class CircuitSection(Section):
    """The attention heads of each operator's circuit (paper, tables 1 and 2)."""

    n_heads: dict[OperatorName, CountOrZero | Literal["auto"]] = {
        "add": 6,
        "sub": 6,
        "mul": 20,
        "div": 6,
    }
    """Heads in the circuit: those with the largest mean effect; `auto` finds how many it takes."""
    target: Share = 0.9
    """Mean faithfulness on discovery prompts that `auto` asks for, with all MLPs."""
    heads: dict[OperatorName, Items[HeadName]] = {}
    """Named heads (layer and head from 0, `L15H13`) instead of the largest."""


class FaithfulnessSection(Section):
    """How much of the model's work circuits do alone, the rest mean-ablated (definitions 5)."""

    prompts: Count = 50
    """Correct evaluation prompts per operator and seed."""
    seeds: Annotated[OrderedItems[Seed], NonEmpty] = (42, 123, 412, 436, 32879)
    """Seeds of the choice of prompts."""
    zero_answers: bool
    """Whether prompts whose answer is 0 take part."""
    max_heads: CountOrZero = 50
    """Heads of the largest circuit on the curve over heads."""
    sizes: Annotated[int, Field(ge=1, le=1_000)] = 20
    """Numbers of neurons tried on the other curves, evenly spaced in logarithm."""
    late_share: Share = 0.01
    """Share of the late layers' neurons kept while the first MLP's are taken away."""


class HeadsSection(Section):
    """What attention heads look at and write (definitions 9)."""

    prompts: Count = 100
    """Correct evaluation prompts per operator whose attention patterns are kept."""
    operands: Annotated[int, Field(ge=1, le=10_000)] = 150
    """Operands smaller than this number are in the pictures of the attention from "="."""
    ov_source: Literal["unembedding", "embedding"] = "unembedding"
    """Vector of a number that OV maps start from: its unembedding (the paper) or embedding."""
    seed: Seed = 42
    """Seed of the choice of prompts."""


class EmbeddingsSection(Section):
    """What the last MLP writes, as points of a plane (definitions 9)."""

    prompts: Count = 1_000
    """Correct evaluation prompts per operator."""
    seed: Seed = 42
    """Seed of the choice of prompts."""


class FailuresSection(Section):
    """What associated neurons add on right and on wrong answers (paper, figure 9)."""

    prompts: Count = 50
    """Correct prompts per operator, and as many incorrect ones."""
    seed: Seed = 42
    """Seed of the choice of prompts."""


class ExamplePrompt(Section):
    """One prompt, written out as its parts."""

    operator: OperatorName
    """Operator of the prompt."""
    a: Annotated[int, Field(ge=0, le=9_999)]
    """First operand."""
    b: Annotated[int, Field(ge=0, le=9_999)]
    """Second operand."""


class FiguresSection(Section):
    """What the figures show beyond the measured numbers."""

    example_prompt: ExamplePrompt | None = None
    """Running example of figure 1; null takes 226-68, or a discovery prompt where that is wrong."""
    example_neurons: Annotated[int, Field(ge=1, le=100)] = 10
    """Neurons per operator in the tables of examples."""
    dpi: Annotated[int, Field(ge=50, le=1_200)] = 300
    """Resolution of the PNG files in dots per inch."""


class ArithmeticStudy(Section):
    """How a language model computes: from prompts to heuristics and their knockouts."""

    enabled: bool = True
    """Whether the study is part of a run."""
    models: Annotated[Items[ModelName], NonEmpty]
    """Models to study, by their names under `models`; `name@checkpoint` for a checkpoint."""
    operators: Annotated[OrderedItems[OperatorName], NonEmpty] = ("add", "sub", "mul", "div")
    """Operators to study."""
    seeds: Annotated[OrderedItems[Seed], NonEmpty] = (42, 123, 412, 436, 32879)
    """Seeds of the counterfactual prompts; effects are averaged over them."""
    prompts: PromptsSection
    activations: ActivationsSection = ActivationsSection()
    verification: VerificationSection = VerificationSection()
    effects: EffectsSection = EffectsSection()
    attribution: AttributionSection = AttributionSection()
    exact: ExactSection = ExactSection()
    probe: ProbeSection = ProbeSection()
    neurons: NeuronsSection
    circuit: CircuitSection = CircuitSection()
    faithfulness: FaithfulnessSection
    circuit_test: CircuitTestSection = CircuitTestSection()
    heads: HeadsSection = HeadsSection()
    embeddings: EmbeddingsSection = EmbeddingsSection()
    heuristics: HeuristicsSection
    rivals: RivalsSection = RivalsSection()
    failures: FailuresSection = FailuresSection()
    knockouts: KnockoutsSection
    checkpoints: CheckpointsSection = CheckpointsSection()
    figures: FiguresSection = FiguresSection()

    @property
    def patched_neurons(self) -> int | Literal["all"]:
        """Neurons of a layer and stratum that are patched exactly; a ranking needs all of them."""
        return "all" if self.neurons.ranking == "exact" else self.exact.neurons

    def conflicts(self) -> Iterator[Conflict]:
        """Seeds of the attribution must be seeds of the study; the example must be in range."""
        strange = [seed for seed in self.attribution.seeds if seed not in self.seeds]
        if strange:
            yield Conflict(
                "attribution.seeds",
                list(self.attribution.seeds),
                f"{', '.join(map(str, strange))} must also be in the study's seeds",
                involves=("seeds",),
            )
        example, low, high = (
            self.figures.example_prompt,
            self.prompts.min_operand,
            self.prompts.max_operand,
        )
        if example and not all(low <= operand < high for operand in (example.a, example.b)):
            yield Conflict(
                "figures.example_prompt",
                f"{example.a}, {example.b}",
                f"its operands must be in the study's range, {low} to {high - 1}",
                involves=("prompts.min_operand", "prompts.max_operand"),
            )
        if example and example.operator not in self.operators:
            yield Conflict(
                "figures.example_prompt.operator",
                example.operator,
                f"must be one of the study's operators: {', '.join(self.operators)}",
                involves=("operators",),
            )
