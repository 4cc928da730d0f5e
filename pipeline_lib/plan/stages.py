"""What a stage costs, and what its cost depends on."""

from dataclasses import dataclass, replace

from pipeline_lib.config import ArithmeticStudy
from pipeline_lib.models.architectures import ModelShape
from pipeline_lib.neurons.importance import first_layer
from pipeline_lib.plan import assumptions as assumed
from pipeline_lib.plan.flops import Engine, forward_flops
from pipeline_lib.plan.sizes import OperatorSizes, n_tokens

ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
CPU_ROWS, GPU_ROWS = 512, 8192  # most that run at once
LOGIT_BYTES = 12  # of one word, beside the logit itself: float32 for metrics, float64 for sums


@dataclass(frozen=True)
class Stage:
    """Cost of all jobs of one rule for one model; memory is that of the largest job."""

    rule: str
    jobs: int
    flops: int
    seconds: float
    """Time beside the matrix products: starting, loading weights, scoring."""
    memory_bytes: int
    disk_bytes: int
    gpus: int = 0
    """GPUs that a job asks for."""

    def hours(self, tflops: float) -> float:
        """Hours of all jobs, one after the other, at a throughput in 10^12 FLOPs a second."""
        return (self.flops / (tflops * 1e12) + self.seconds) / 3600

    def times(self, n: int) -> "Stage":
        """The same for ``n`` models of one shape."""
        return replace(
            self,
            jobs=self.jobs * n,
            flops=self.flops * n,
            seconds=self.seconds * n,
            disk_bytes=self.disk_bytes * n,
        )


@dataclass(frozen=True, kw_only=True)
class ModelWork:
    """What the cost of any study of a model depends on."""

    study_name: str
    name: str
    shape: ModelShape
    dtype: str
    gpus: int
    is_fetched: bool
    weight_file_bytes: int | None
    """Weights on disk; None where they are not there yet."""
    n_models: int = 1
    """Sets of weights that are described: the model's, and those of its checkpoints."""
    is_planted: bool = False
    """Whether a rule of this run builds the model."""
    expected: assumed.Expected = assumed.EXPECTED

    @property
    def n_tokens(self) -> int:
        """Tokens of a prompt; of the longest one where they differ."""
        raise NotImplementedError

    @property
    def weight_bytes(self) -> int:
        """Weights in memory."""
        return self.shape.n_parameters * ITEM_BYTES[self.dtype]

    @property
    def disk_weight_bytes(self) -> int:
        """Weights on disk, at two bytes each where they are not there yet."""
        return self.weight_file_bytes or self.shape.n_parameters * assumed.WEIGHT_BYTES

    def row_bytes(self, layers_kept: int = 1) -> int:
        """Temporaries of one prompt; ``layers_kept`` layers live at once (three times L backwards).

        The engine's own estimate, `interventions.batching.default_batch_size`.
        """
        item, shape = ITEM_BYTES[self.dtype], self.shape
        widths = 6 * shape.d_model + 3 * shape.d_mlp + 2 * shape.n_heads * self.n_tokens
        logits = shape.d_vocab * (item + LOGIT_BYTES)
        return layers_kept * item * self.n_tokens * widths + logits

    def batch_rows(self, n_rows: int, layers_kept: int = 1) -> int:
        """Prompts of ``n_rows`` that the engine runs at once, within its budget of temporaries."""
        fitting = assumed.BATCH_BYTES // self.row_bytes(layers_kept)
        return min(n_rows, max(1, min(GPU_ROWS if self.gpus else CPU_ROWS, fitting)))


@dataclass(frozen=True, kw_only=True)
class Work(ModelWork):
    """All that the cost of a model's stages in the arithmetic study depends on."""

    study_name: str = "arithmetic"
    max_number: int
    study: ArithmeticStudy
    sizes: tuple[OperatorSizes, ...]
    checkpoints: tuple[str, ...] = ()
    """Training checkpoints that are studied beside the model."""
    engine: Engine = assumed.ENGINE

    @property
    def n_tokens(self) -> int:
        """Tokens of a prompt."""
        return n_tokens(self.study)

    @property
    def n_seeds(self) -> int:
        """Seeds of counterfactual prompts."""
        return len(self.study.seeds)

    @property
    def n_late_layers(self) -> int:
        """Layers whose neurons are looked at more closely; `auto` is taken to be half."""
        setting = self.study.neurons.first_heuristics_layer
        setting = "half" if setting == "auto" else setting
        return self.shape.n_layers - first_layer(setting, self.shape.n_layers)

    @property
    def n_neurons(self) -> int:
        """Neurons looked at more closely, per operator: the top ones of every late layer."""
        return self.n_late_layers * min(self.study.neurons.per_layer, self.shape.d_mlp)

    @property
    def forward(self) -> int:
        """FLOPs of a forward pass of one prompt."""
        return forward_flops(self.shape, self.n_tokens)


def model_stage(
    work: ModelWork,
    rule: str,
    *,
    jobs: int,
    flops: int,
    disk_bytes: int | float,
    array_bytes: int,
    n_rows: int,
    layers_kept: int = 1,
    seconds: int | float = 0.0,
) -> Stage:
    """Cost of a rule that loads the model and runs up to ``n_rows`` prompts in a job.

    ``array_bytes`` is what the job holds beside the weights and one batch, ``seconds`` the work of
    all jobs beside starting and matrix products.
    """
    batch = work.batch_rows(n_rows, layers_kept) * work.row_bytes(layers_kept)
    held = assumed.LIBRARY_BYTES + work.weight_bytes + batch + array_bytes
    start = assumed.START_SECONDS + work.disk_weight_bytes / assumed.LOAD_BYTES_PER_SECOND
    total = jobs * start + seconds
    return Stage(rule, jobs, flops, total, held, round(disk_bytes), work.gpus)


def table_stage(
    rule: str,
    *,
    jobs: int,
    disk_bytes: int | float,
    array_bytes: int = 0,
    seconds: int | float = 0.0,
    library_bytes: int = assumed.TABLE_LIBRARY_BYTES,
) -> Stage:
    """Cost of a rule without a model; ``seconds`` is the work of all its jobs beside starting."""
    total = jobs * assumed.START_SECONDS + seconds
    return Stage(rule, jobs, 0, total, library_bytes + array_bytes, round(disk_bytes))
